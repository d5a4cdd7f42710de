//! `tern classify` over a pseudo-terminal, which uses the code for serial ports, and over TCP.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tern_tests::{argument, emulator, firmware, json, trained};

/// Each instruction takes 64 ns of the emulated time.
const COUNTED: &[&str] = &["-icount", "shift=6"];

/// An emulator that is killed when dropped.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // An error means that the emulator has already ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts the firmware with the shared model in its slot and its console at `serial`.
///
/// Without options in `clock`, bytes arrive while the device computes, as on hardware.
fn start(serial: &str, clock: &[&str]) -> Emulator {
    let mut command = emulator();
    let loader = format!("loader,file={},addr=0x00200000,force-raw=on", argument(&trained().file));
    command.args(clock).args(["-serial", serial, "-device", &loader, "-kernel", argument(firmware())]);
    Emulator(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("qemu-system-arm starts"))
}

fn assert_classifies(option: &str, address: &str) {
    let trained = trained();
    let (file, data) = (argument(&trained.file), argument(&trained.validation));
    let seen = json(&["classify", file, "--data", data, option, address, "--json"]);
    assert_eq!((&seen["disagreements"], &seen["refused"]), (&Value::from(0), &Value::from(0)), "{seen}");
    assert_eq!(seen["accuracy"], trained.export["integer_accuracy"]);
    assert!(seen["ticks_per_token"].as_f64().unwrap() > 0.0, "{seen}");
}

#[cfg(unix)]
#[test]
fn classify_over_a_serial_port_gives_the_logits_of_the_host() {
    let mut emulator = start("pty", COUNTED);
    // QEMU prints `char device redirected to /dev/pts/5 (label serial0)`, on stdout or stderr depending on its version.
    let (sender, receiver) = std::sync::mpsc::channel();
    let pipes: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(emulator.0.stdout.take().unwrap()), Box::new(emulator.0.stderr.take().unwrap())];
    for pipe in pipes {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let path = line.split_whitespace().find(|word| word.starts_with("/dev/")).map(str::to_owned);
                if let Some(path) = path {
                    drop(sender.send(path));
                }
            }
        });
    }
    let path = receiver.recv_timeout(Duration::from_secs(20)).expect("QEMU names its pseudo-terminal");
    assert_classifies("--port", &path);
}

/// Starts the firmware with its console at a TCP port and returns the address of the port.
fn start_tcp(clock: &[&str]) -> (Emulator, String) {
    // If another process takes the port first, QEMU does not start and the test fails.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut emulator = start(&format!("tcp:{address},server=on,wait=on"), clock);
    let end = Instant::now() + Duration::from_secs(20);
    // A test connection would use up the one that QEMU waits for.
    while !listens(port) {
        assert!(emulator.0.try_wait().unwrap().is_none(), "QEMU ended");
        assert!(Instant::now() < end, "QEMU does not listen on {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
    (emulator, address)
}

#[test]
fn classify_over_tcp_gives_the_logits_of_the_host() {
    let (_emulator, address) = start_tcp(COUNTED);
    assert_classifies("--tcp", &address);
}

/// A host that sends far more than the receive queue holds is told how much was lost; every answer that it gets is
/// right.
#[test]
fn lost_bytes_are_reported_and_the_next_line_works() {
    let (_emulator, address) = start_tcp(&[]);
    let mut host = TcpStream::connect(&address).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    let lines = BufReader::new(host.try_clone().unwrap()).split(b'\n');
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok).filter(|line| line.starts_with(b"{")) {
            drop(sender.send(serde_json::from_slice::<Value>(&line).expect("a machine answer is JSON")));
        }
    });
    let answer = || answers.recv_timeout(Duration::from_secs(60)).expect("the device answers");
    let request = b"@classify smoke in the server room, send someone now\n";
    host.write_all(b"\x03\x03@echo off\n").unwrap();
    assert_eq!(answer()["echo"], false);
    host.write_all(request).unwrap();
    let right = answer()["logits"].clone();
    assert_eq!(right.as_array().map(Vec::len), Some(5));

    const FLOOD: usize = 1_000;
    // A short request that takes longer to answer than to arrive.
    let test = b"@selftest\n";
    host.write_all(&test.repeat(FLOOD)).unwrap();
    let mut answered = 0;
    let lost = loop {
        let next = answers
            .recv_timeout(Duration::from_secs(60))
            .unwrap_or_else(|_| panic!("nothing was lost, and nothing more comes after {answered} answers"));
        if next["error"] == "overflow" {
            break next["lost"].as_u64().unwrap();
        }
        assert!(next["exact"].is_u64() && next["exact"] == next["golden"], "answer {answered}: {next}");
        answered += 1;
    };
    assert!(answered > 0 && lost > 0 && lost < (FLOOD * test.len()) as u64, "{answered} answered, {lost} bytes lost");

    // The rest of the requests is answered or refused; then the console works as before.
    while answers.recv_timeout(Duration::from_secs(3)).is_ok() {}
    host.write_all(b"\n@labels\n").unwrap();
    while answer()["labels"].is_null() {}
    host.write_all(request).unwrap();
    assert_eq!(answer()["logits"], right);
}

/// Returns true if a process listens on a port of 127.0.0.1, which then cannot be bound.
fn listens(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_err()
}

//! The same firmware behind a pseudo-terminal, through the serial port code that a board uses, and behind TCP.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tern_tests::{argument, emulator, firmware, json, trained};

/// 64 ns an instruction.
const COUNTED: &[&str] = &["-icount", "shift=6"];

/// An emulator that ends with the test.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself: that is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The firmware with the shared model in its slot and its console at `serial`. `clock`: options of time; without any, bytes arrive while
/// the device computes as they do on hardware.
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
fn a_serial_port() {
    let mut emulator = start("pty", COUNTED);
    // QEMU says `char device redirected to /dev/pts/5 (label serial0)`, on stdout or stderr by its version.
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

/// The firmware with its console at a TCP port, and the port's address.
fn start_tcp(clock: &[&str]) -> (Emulator, String) {
    // A port that was free a moment ago; should somebody take it in between, QEMU does not start and the test says so.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut emulator = start(&format!("tcp:{address},server=on,wait=on"), clock);
    let patience = Instant::now() + Duration::from_secs(20);
    // Looking at the port by connecting would take the one connection that QEMU waits for.
    while !listens(port) {
        assert!(emulator.0.try_wait().unwrap().is_none(), "QEMU ended");
        assert!(Instant::now() < patience, "QEMU does not listen on {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
    (emulator, address)
}

#[test]
fn a_tcp_port() {
    let (_emulator, address) = start_tcp(COUNTED);
    assert_classifies("--tcp", &address);
}

/// A host that sends far more than the receive queue holds, with no regard for the device, is told what was lost; every answer that it gets is
/// right, and the console works on.
#[test]
fn a_flood_is_refused_loudly_and_the_next_line_works() {
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
    // Few bytes that ask for far more work than they take time to arrive.
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

    // What is still under way is answered or refused; then all is as before.
    while answers.recv_timeout(Duration::from_secs(3)).is_ok() {}
    host.write_all(b"\n@labels\n").unwrap();
    while answer()["labels"].is_null() {}
    host.write_all(request).unwrap();
    assert_eq!(answer()["logits"], right);
}

/// Whether somebody listens on a port of 127.0.0.1: then it cannot be bound.
fn listens(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_err()
}

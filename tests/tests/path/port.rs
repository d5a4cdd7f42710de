//! The same firmware behind a pseudo-terminal, through the serial port code that a board uses, and behind TCP.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tern_tests::{argument, emulator, firmware, json, trained};

/// An emulator that ends with the test.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself: that is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The firmware with the shared model in its slot and its console at `serial`.
fn start(serial: &str) -> Emulator {
    let mut command = emulator();
    let loader = format!("loader,file={},addr=0x00200000,force-raw=on", argument(&trained().file));
    command.args(["-icount", "shift=6", "-serial", serial, "-device", &loader, "-kernel", argument(firmware())]);
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
    let mut emulator = start("pty");
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

#[test]
fn a_tcp_port() {
    // A port that was free a moment ago; should somebody take it in between, QEMU does not start and the test says so.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut emulator = start(&format!("tcp:{address},server=on,wait=on"));
    let patience = Instant::now() + Duration::from_secs(20);
    // Looking at the port by connecting would take the one connection that QEMU waits for.
    while !listens(port) {
        assert!(emulator.0.try_wait().unwrap().is_none(), "QEMU ended");
        assert!(Instant::now() < patience, "QEMU does not listen on {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_classifies("--tcp", &address);
}

/// Whether somebody listens on a port of 127.0.0.1: then it cannot be bound.
fn listens(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_err()
}

//! `tern classify` over a pseudo-terminal, which uses the code for serial ports, and over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tern_tests::device::{COUNTED, Device, loader};
use tern_tests::{argument, assert_same_logits, committed, error_of, firmware, json, tern, trained};

/// Classifies the validation rows on the device at `address`, and checks the answers.
fn assert_classifies(option: &str, address: &str) {
    let trained = trained();
    let (file, data) = (argument(&trained.file), argument(&trained.validation));
    let seen = json(&["classify", file, "--data", data, option, address, "--json"]);
    assert_same_logits(&seen);
    assert_eq!(seen["accuracy"], trained.export["integer_accuracy"]);
    assert!(seen["ticks_per_token"].as_f64().unwrap() > 0.0, "{seen}");
}

/// An emulator or another process that is killed when dropped.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // An error means that the emulator has already ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a device with its console at a pseudo-terminal, and returns the path of the terminal.
#[cfg(unix)]
fn at_a_serial_port(model: &Path) -> (Emulator, String) {
    let mut command = Command::new("qemu-system-arm");
    command.args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "pty"]).args(COUNTED);
    command.args(["-device", &loader(model), "-kernel", argument(firmware())]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("qemu-system-arm starts");
    let mut emulator = Emulator(child);
    // QEMU prints `char device redirected to /dev/pts/5 (label serial0)`, on stdout or stderr depending on its version.
    let (sender, receiver) = std::sync::mpsc::channel();
    let pipes: [Box<dyn Read + Send>; 2] =
        [Box::new(emulator.0.stdout.take().unwrap()), Box::new(emulator.0.stderr.take().unwrap())];
    for pipe in pipes {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if let Some(path) = line.split_whitespace().find(|word| word.starts_with("/dev/")) {
                    drop(sender.send(path.to_owned()));
                }
            }
        });
    }
    let path = receiver.recv_timeout(Duration::from_secs(20)).expect("QEMU names its pseudo-terminal");
    (emulator, path)
}

#[cfg(unix)]
#[test]
fn classify_over_a_serial_port_gives_the_logits_of_the_host() {
    let (_emulator, path) = at_a_serial_port(&trained().file);
    assert_classifies("--port", &path);
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_is_in_use_or_forbidden_is_named_with_the_reason() {
    let (_emulator, path) = at_a_serial_port(&committed());
    // The lines of this console never end.
    let mut first = tern();
    let first = first.args(["console", "--port", &path]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = Emulator(first);
    // Its answer shows that it has opened the port.
    first.0.stdin.as_mut().unwrap().write_all(b"info\n").unwrap();
    first.0.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    let stderr = error_of(tern().args(["push", argument(&committed()), "--port", &path]), 1);
    let expected = format!("{path}: in use by tern (process {})", first.0.id());
    assert!(stderr.contains(&expected) && stderr.contains("a port serves one program at a time"), "{stderr}");
    drop(first);

    let mut push = tern();
    push.args(["push", argument(&committed()), "--port", &path]);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    // Root may open everything, unless it gives this power up.
    let mut without_power = Command::new("setpriv");
    without_power.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(push.get_program()).args(push.get_args());
    let stderr = error_of(&mut without_power, 1);
    assert!(stderr.contains("you may not open this port") && stderr.contains("dialout"), "{stderr}");
}

#[test]
fn a_second_program_at_a_tcp_port_is_told_so() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &["-device", &loader(&committed())]);
    let mut console = device.connect();
    console.boot();
    let address = device.address();
    let model = committed();
    let arguments = ["push", argument(&model), "--timeout", "2", "--tcp", &address];
    let stderr = error_of(tern().args(arguments), 1);
    assert!(stderr.contains(&format!("is another program connected to {address}?")), "{stderr}");
}

#[test]
fn classify_over_tcp_gives_the_logits_of_the_host() {
    let loader = loader(&trained().file);
    let options = [&COUNTED[..], &["-device", &loader]].concat();
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &options);
    assert_classifies("--tcp", &device.address());
}

/// A host that sends far more than the receive queue holds is told how much was lost; every answer that it gets is
/// right.
#[test]
fn lost_bytes_are_reported_and_the_next_line_works() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &["-device", &loader(&trained().file)]);
    let mut host = TcpStream::connect(device.address()).unwrap();
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
    let expected_logits = answer()["logits"].clone();
    assert_eq!(expected_logits.as_array().map(Vec::len), Some(5));

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
    assert_eq!(answer()["logits"], expected_logits);
}

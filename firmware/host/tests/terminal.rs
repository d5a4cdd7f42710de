//! Tests of the host board through its pseudo-terminal, as a terminal program uses it.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runtime/tests/golden/lstm.safetensors");

/// Kills the process when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(options: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tern-host"));
    command.arg(MODEL).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    Running(command.spawn().expect("the program starts"))
}

/// Reads until the output ends with `end`.
fn until(received: &Receiver<u8>, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        match received.recv_timeout(Duration::from_secs(20)) {
            Ok(byte) => seen.push(byte),
            Err(_) => panic!("expected {end:?}, found {:?}", String::from_utf8_lossy(&seen)),
        }
    }
    String::from_utf8(seen).expect("the output is UTF-8")
}

#[test]
fn a_terminal_program_can_reconnect_and_loses_no_byte() {
    let mut host = start(&[]);
    let mut output = String::new();
    BufReader::new(host.0.stdout.take().unwrap()).read_line(&mut output).unwrap();
    let path = output.trim().strip_prefix("the console is at ").unwrap_or_else(|| panic!("{output:?}")).to_owned();
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();

    // One program opens and closes the terminal, and the next one can open it again.
    drop(open());
    let mut terminal = open();
    let (sender, received) = channel();
    let mut reader = terminal.try_clone().unwrap();
    thread::spawn(move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() && sender.send(byte[0]).is_ok() {}
    });
    let banner = until(&received, "\x1b[c> ");
    assert!(banner.contains("tern ") && banner.contains(" on host\r\n"), "{banner}");
    // The terminal's answer to the console's question, and a line.
    terminal.write_all(b"\x1b[?62;22cfree prize, call now\r").unwrap();
    let answer = until(&received, " ticks\r\n> ");
    assert!(answer.contains("\x1b[1mlabel1\x1b[0m  69.3 %") && answer.contains('█'), "{answer}");

    // Far more bytes than the queue holds: the sender waits, and nothing is lost.
    let requests = 5_000;
    terminal.write_all(b"\x03@echo off\n").unwrap();
    until(&received, "{\"echo\":false}\r\n");
    let mut writer = terminal.try_clone().unwrap();
    let sent = thread::spawn(move || writer.write_all(&b"@classify free prize\n".repeat(requests)));
    for number in 0..requests {
        let answer = until(&received, "\r\n");
        assert!(answer.starts_with(r#"{"label":"label1","#), "answer {number}: {answer}");
    }
    sent.join().unwrap().unwrap();
    terminal.write_all(b"@stats\n").unwrap();
    let stats = until(&received, "}\r\n");
    assert!(stats.contains(r#""refused":0,"#) && stats.contains(r#""dropped":0,"#), "{stats}");

    terminal.write_all(b"reset\n").unwrap();
    until(&received, "on host\r\n");
    until(&received, "> ");
    terminal.write_all(b"@stats\n").unwrap();
    assert!(until(&received, "}\r\n").contains(r#""last_reset":"command""#));
}

#[test]
fn with_stdio_the_program_ends_with_its_input() {
    let mut host = start(&["--stdio"]);
    host.0.stdin.take().unwrap().write_all(b"free prize, call now\r@labels\r").unwrap();
    let mut output = String::new();
    host.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(
        output.contains("\r\nlabel1  69.3 %") && output.ends_with("{\"labels\":[\"label0\",\"label1\"]}\r\n"),
        "{output}"
    );
    assert!(host.0.wait().unwrap().success());
}

#[test]
fn quit_ends_the_program() {
    let mut host = start(&["--stdio"]);
    // The input stays open.
    let mut input = host.0.stdin.take().unwrap();
    input.write_all(b"quit\r").unwrap();
    assert!(host.0.wait().unwrap().success());
}

//! Random and mutated lines for the emulated device: none may stop it, and no valid line between them may be lost.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tern_tests::{argument, emulator, firmware, root};

#[path = "../../../firmware/src/random_lines.rs"]
#[allow(dead_code, reason = "only the tests of the firmware use all of it")]
mod lines;

/// The number of lines unless `TERN_SOAK_LINES` is set.
const DEFAULT_LINES: usize = 200;
/// The longest random line: with the valid line after it, it fits the receive queue of 1,024 bytes.
const MAX_LENGTH: usize = 600;

struct Device(Child, Receiver<String>);

impl Drop for Device {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Device {
    fn start() -> Self {
        let model = root().join("runtime/tests/golden/lstm.safetensors");
        let loader = format!("loader,file={},addr=0x00200000,force-raw=on", argument(&model));
        let mut command = emulator();
        command.args(["-serial", "stdio", "-device", &loader, "-kernel", argument(firmware())]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("qemu-system-arm starts");
        let (sender, receiver) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n');
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                drop(sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
        });
        Device(child, receiver)
    }

    fn send(&mut self, bytes: &[u8]) {
        let stdin = self.0.stdin.as_mut().expect("stdin is piped");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the emulator runs");
    }

    /// Returns the object in the frame of the next answer to `request`.
    fn answer(&self, request: &str, after: &dyn std::fmt::Debug) -> Value {
        let sum = format!("{:08x}", crc32fast::hash(request.as_bytes()));
        loop {
            let line =
                self.1.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no answer after {after:?}"));
            assert!(!line.contains("firmware stopped"), "{line} after {after:?}");
            if line.rsplit(' ').nth(1) != Some(&sum) {
                continue;
            }
            let json = line.split_once(' ').and_then(|(_, rest)| Some(&rest[..=rest.rfind('}')?]));
            return json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_else(|| panic!("{line}"));
        }
    }
}

#[test]
fn no_line_stops_the_device_and_no_valid_line_is_lost() {
    let count =
        std::env::var("TERN_SOAK_LINES").map_or(DEFAULT_LINES, |count| count.parse().expect("a number of lines"));
    let mut device = Device::start();
    let mut logits = HashMap::new();
    for (number, line) in lines::RandomLines::new(11, MAX_LENGTH).take(count).enumerate() {
        // The number of words identifies this valid line.
        let words = 1 + number % 20;
        device.send(&line);
        let valid = format!("classify {}", "free prize ".repeat(words));
        device.send(format!("\x03\x03@mode machine\n{valid}\n").as_bytes());
        let answer = device.answer(&valid, &line);
        assert!(answer["tokens"] == 2 * words && answer["label"].is_string(), "{answer} after line {number}, {line:?}");
        let seen = logits.entry(words).or_insert_with(|| answer["logits"].clone());
        assert_eq!(answer["logits"], *seen, "after line {number}, {line:?}");
        if number % 2 == 0 {
            device.send(b"mode human\n");
        }
    }
    device.send(b"\x03\x03@mode machine\nstats\n");
    let stats = device.answer("stats", &"the last line");
    // A device that had restarted would have counted from 0.
    assert!(stats["lines"].as_u64() >= Some(2 * count as u64) && stats["last_reset"] == "power-on", "{stats}");
    assert!(stats["stack_used"].as_u64() < stats["stack_size"].as_u64(), "{stats}");
    assert_eq!(stats["dropped"], 0, "{stats}");
    println!("soak: {count} lines, each followed by a valid line that was answered; {stats}");
}

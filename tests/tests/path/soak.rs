//! Lines that nobody would send against the emulated device: none may bring it down, and no good line between them may be lost.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tern_tests::{argument, emulator, firmware, root};

#[path = "../../../firmware/src/soak.rs"]
#[allow(dead_code, reason = "the firmware's tests take what this one does not")]
mod lines;

#[path = "../../../firmware/src/crc32.rs"]
#[allow(dead_code, reason = "the firmware takes what this does not")]
mod crc32;

/// Lines where `TERN_SOAK_LINES` does not say how many.
const FEW: usize = 200;
/// A line and the good one behind it fit the receive queue of 1,024 bytes: so much may be sent ahead.
const MOST: usize = 600;

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

    /// The object in the frame of the next answer to `request`.
    fn answer(&self, request: &str, after: &dyn std::fmt::Debug) -> Value {
        let sum = format!("{:08x}", crc32::crc32(request.as_bytes()));
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
fn nothing_brings_the_device_down_and_no_good_line_is_lost() {
    let count = std::env::var("TERN_SOAK_LINES").map_or(FEW, |count| count.parse().expect("a number of lines"));
    let mut device = Device::start();
    let mut logits = HashMap::new();
    for (number, line) in lines::Lines::new(11, MOST).take(count).enumerate() {
        // Its length tells this good line from the ones around it.
        let words = 1 + number % 20;
        device.send(&line);
        let good = format!("classify {}", "free prize ".repeat(words));
        device.send(format!("\x03\x03@mode machine\n{good}\n").as_bytes());
        let answer = device.answer(&good, &line);
        assert!(answer["tokens"] == 2 * words && answer["label"].is_string(), "{answer} after line {number}, {line:?}");
        let seen = logits.entry(words).or_insert_with(|| answer["logits"].clone());
        assert_eq!(answer["logits"], *seen, "after line {number}, {line:?}");
        if number % 2 == 0 {
            device.send(b"mode human\n");
        }
    }
    device.send(b"\x03\x03@mode machine\nstats\n");
    let stats = device.answer("stats", &"the last line");
    // One that began anew would have counted from nothing.
    assert!(stats["lines"].as_u64() >= Some(2 * count as u64) && stats["last_reset"] == "power-on", "{stats}");
    assert!(stats["stack_used"].as_u64() < stats["stack_size"].as_u64(), "{stats}");
    assert_eq!(stats["dropped"], 0, "{stats}");
    println!("soak: {count} lines, each with a good line behind it that was answered; {stats}");
}

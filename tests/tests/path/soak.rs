//! Random and mutated lines for the emulated device: none may stop it, and no valid line between them may be lost.

use std::collections::HashMap;
use std::fmt::Debug;

use crc::{CRC_32_ISO_HDLC, Crc};
use serde_json::Value;
use tern_tests::device::{Console, Device, loader};
use tern_tests::{committed, firmware};

#[path = "../../../firmware/src/random_lines.rs"]
#[allow(dead_code, reason = "only the tests of the firmware use all of it")]
mod lines;

/// The number of lines unless `TERN_SOAK_LINES` is set.
const DEFAULT_LINES: usize = 200;
/// The longest random line: with the valid line after it, it fits the receive queue of 1,024 bytes.
const MAX_LENGTH: usize = 600;

/// Returns the JSON object in the next answer to `request`.
fn answer(console: &mut Console, request: &str, after: &dyn Debug) -> Value {
    let sum = format!("{:08x}", Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(request.as_bytes()));
    loop {
        let line = console.until("\n");
        let line = line.trim_end();
        assert!(!line.contains("firmware stopped"), "{line} after {after:?}");
        // A line is number, object, checksum of the request, checksum of the line.
        if line.rsplit(' ').nth(1) == Some(&sum) {
            let object = line.split_once(' ').and_then(|(_, rest)| Some(&rest[..=rest.rfind('}')?]));
            return object.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_else(|| panic!("{line}"));
        }
    }
}

#[test]
fn no_line_stops_the_device_and_no_valid_line_is_lost() {
    let count =
        std::env::var("TERN_SOAK_LINES").map_or(DEFAULT_LINES, |count| count.parse().expect("a number of lines"));
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &["-device", &loader(&committed())]);
    let mut console = device.connect();
    let mut logits = HashMap::new();
    for (number, line) in lines::RandomLines::new(11, MAX_LENGTH).take(count).enumerate() {
        // The number of words identifies this valid line.
        let words = 1 + number % 20;
        console.send(&line);
        let valid = format!("classify {}", "free prize ".repeat(words));
        console.send(format!("\x03\x03@mode machine\n{valid}\n").as_bytes());
        let found = answer(&mut console, &valid, &line);
        assert!(found["tokens"] == 2 * words && found["label"].is_string(), "{found} after line {number}, {line:?}");
        let first = logits.entry(words).or_insert_with(|| found["logits"].clone());
        assert_eq!(found["logits"], *first, "after line {number}, {line:?}");
        if number % 2 == 0 {
            console.send(b"mode human\n");
        }
    }
    console.send(b"\x03\x03@mode machine\nstats\n");
    let stats = answer(&mut console, "stats", &"the last line");
    // A device that had restarted would have counted from 0.
    assert!(stats["lines"].as_u64() >= Some(2 * count as u64) && stats["last_reset"] == "power-on", "{stats}");
    assert!(stats["stack_used"].as_u64() < stats["stack_size"].as_u64(), "{stats}");
    assert_eq!(stats["dropped"], 0, "{stats}");
    println!("soak: {count} lines, each followed by a valid line that was answered; {stats}");
}

//! Lines that nobody would send.

use super::*;
use crate::soak::Lines;

/// Any bytes: the console goes on, each good line between them is answered, and its answers stay text. `TERN_SOAK_LINES` says how many.
#[test]
fn nothing_brings_the_console_down_and_no_good_line_is_lost() {
    let count = std::env::var("TERN_SOAK_LINES").map_or(2_000, |count| count.parse().expect("a number of lines"));
    let answer = |sent: &[u8]| -> String {
        let answers: Vec<u8> = sent.iter().copied().filter(|&byte| byte != ACK).collect();
        String::from_utf8_lossy(&answers).trim_end().rsplit("\r\n").next().unwrap_or("").into()
    };
    let (mut bytes, mut overflows) = (0u64, 0u64);
    with_model(|console| {
        let lines = Lines::new(7, 3 * CAPACITY);
        for (number, line) in lines.take(count).enumerate() {
            bytes += line.len() as u64;
            // Some come faster than they are worked off.
            for piece in line.chunks(if number % 2 == 0 { 2 * CAPACITY } else { CAPACITY }) {
                piece.iter().for_each(|&byte| console.port.feeder.push(byte));
                console.poll().unwrap();
                // A letter and a TAB may make a command of the slots.
                while console.wanted.take().is_some() {
                    console.poll().unwrap();
                }
            }
            for good in [&b"\x03\x03@mode machine\n"[..], b"classify free prize\n"] {
                good.iter().for_each(|&byte| console.port.feeder.push(byte));
                console.poll().unwrap();
            }
            let sent = mem::take(&mut console.port.sent);
            let last = answer(&sent);
            let (number_of_answer, json, sum) = framed(&last);
            assert_eq!((number_of_answer, sum), (1, crc32(b"classify free prize")), "after line {number}, {line:?}");
            assert!(json.ends_with(&tail("free prize")), "after line {number}, {line:?}: {json}");
            ask(console, b"mode human\n");
            overflows +=
                console.port.events.drain(..).filter(|event| matches!(event, Event::Overflow { .. })).count() as u64;
        }
    });
    std::println!(
        "soak: {count} lines, {bytes} bytes, {overflows} overflows; every good line between them was answered"
    );
}

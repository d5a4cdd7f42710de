//! Tests of the console with random lines, between which every valid line must be answered.

use super::*;
use crate::random_lines::RandomLines;

/// After any bytes the console goes on and answers a valid line correctly. `TERN_SOAK_LINES` sets the number of random
/// lines.
#[test]
fn random_input_never_stops_the_console_or_damages_a_valid_line() {
    let count = std::env::var("TERN_SOAK_LINES").map_or(2_000, |count| count.parse().expect("a number of lines"));
    let answer = |sent: &[u8]| -> String {
        let answers: Vec<u8> = sent.iter().copied().filter(|&byte| byte != ACK).collect();
        String::from_utf8_lossy(&answers).trim_end().rsplit("\r\n").next().unwrap_or("").into()
    };
    let (mut bytes, mut overflows) = (0u64, 0u64);
    let mut console = console_with_model();
    let lines = RandomLines::new(7, 3 * CAPACITY);
    let expected = tail("free prize");
    for (number, line) in lines.take(count).enumerate() {
        bytes += line.len() as u64;
        // Some arrive faster than they are handled.
        for piece in line.chunks(if number % 2 == 0 { 2 * CAPACITY } else { CAPACITY }) {
            console.receive(piece);
            // A random letter and a TAB may complete to a command about the slots.
            while console.request.take().is_some() {
                console.poll().unwrap();
            }
        }
        for valid in [&b"\x03\x03@mode machine\n"[..], b"classify free prize\n"] {
            console.receive(valid);
        }
        let sent = mem::take(&mut console.port.sent);
        let last = answer(&sent);
        let (number_of_answer, json, sum) = framed(&last);
        assert_eq!((number_of_answer, sum), (1, crc32(b"classify free prize")), "after line {number}, {line:?}");
        assert!(json.ends_with(&expected), "after line {number}, {line:?}: {json}");
        console.ask(b"mode human\n");
        overflows +=
            console.port.events.drain(..).filter(|event| matches!(event, Event::Overflow { .. })).count() as u64;
    }
    std::println!(
        "soak: {count} lines, {bytes} bytes, {overflows} overflows; every valid line between them was answered"
    );
}

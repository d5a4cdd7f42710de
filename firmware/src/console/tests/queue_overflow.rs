//! Tests of bytes that arrive faster than the console handles them.

use super::*;

#[test]
fn lines_that_fit_the_queue_are_answered() {
    let mut console = console_with_model();
    let line = b"@classify free prize\n";
    let ahead = CAPACITY / line.len();
    let answers = console.flood(line, &line.repeat(ahead));
    assert_eq!(answers.lines().filter(|answer| answer.ends_with(&tail("free prize"))).count(), 1 + ahead);
    assert!(console.port.events.is_empty());
}

#[test]
fn lines_that_do_not_fit_the_queue_are_refused_with_an_error() {
    let mut console = console_with_model();
    let line = b"@classify free prize\n";
    // 48 lines of 21 bytes fit, and 16 bytes of the next one.
    let answers = console.flood(line, &line.repeat(60));
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 1 + 48 + 1);
    assert!(answers[..49].iter().all(|answer| answer.ends_with(&tail("free prize"))));
    let lost = 60 * 21 - CAPACITY as u32;
    assert!(answers[49].starts_with(r#"{"error":"overflow","message":""#));
    assert!(answers[49].ends_with(&format!(r#""lost":{lost},"queue_bytes":1024}}"#)), "{}", answers[49]);
    assert_eq!(console.port.events, [Event::Overflow { lost }]);
    // The last lost byte ended its line, so the next line works.
    assert!(console.machine("@classify free").ends_with(&tail("free")));

    // A line damaged in the middle is discarded up to its end; CR LF counts as one end.
    let mut cut = line.repeat(60);
    cut.truncate(59 * 21 + 5);
    console.flood(line, &cut);
    assert_eq!(console.port.events.len(), 1, "the damaged line has not ended");
    let after = console.ask(b"free prize\r\n@classify free\r\n");
    let after: Vec<&str> = after.lines().collect();
    assert_eq!(after.len(), 2);
    assert!(after[0].starts_with(r#"{"error":"overflow""#) && after[1].ends_with(&tail("free")), "{after:?}");
    // Ctrl-C ends it too.
    console.flood(line, &cut);
    assert!(console.ask(b"free\x03").starts_with(r#"{"error":"overflow""#));
    assert!(console.machine("@classify free").ends_with(&tail("free")));
}

#[test]
fn an_overflow_is_reported_in_the_form_of_the_damaged_line() {
    let mut console = console_with_model();
    // Bytes are lost between two lines: the form of the error is that of the line before.
    let mut ahead = vec![b'\n'; CAPACITY];
    ahead.extend_from_slice(b"free\n");
    let said = console.flood(b"free\n", &ahead);
    assert!(said.ends_with("answer or use `@stream`\r\n> ") && said.contains("error: overflow: 5 bytes"), "{said}");
    let said = console.flood(b"@classify\n", &[b"@labels\n".repeat(CAPACITY / 8), b"free\n".to_vec()].concat());
    assert!(said.lines().last().unwrap().starts_with(r#"{"error":"overflow""#), "{said}");
}

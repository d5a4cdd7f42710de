//! Tests of the streaming mode, with texts of any length.

use super::*;

#[test]
fn streamed_texts_of_any_length_are_answered() {
    let mut console = console_with_model();
    let entered = r#"{"stream":true,"window":768,"credit":256}"#;
    assert_eq!(console.machine("@stream"), entered);
    // 600 bytes and the EOT make two ACKs. The chunks in which a text arrives do not change its answer.
    let text = "free prize ".repeat(60)[..600].to_string();
    let answer = console.ask(format!("{text}\x04").as_bytes());
    assert!(answer.starts_with("\x06\x06{") && answer.contains(r#""tokens":110,"unknown":"#), "{answer}");
    let logits = |answer: &str| answer.split(r#""logits":"#).nth(1).unwrap().split(']').next().unwrap().to_string();
    assert_eq!(logits(&answer), logits(&tail(&text)));
    // A complete text in one chunk, two texts in one chunk, bytes that look like controls, and an empty text.
    console.receive(b"call now\x04caf\x10\x03\x10\x50\x04\x04");
    let answers = console.sent();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), 3);
    assert!(answers[0].ends_with(&tail("call now")), "{answers:?}");
    assert!(answers[1].ends_with(&tail("cafC\u{10}")), "{answers:?}");
    assert!(answers[2].starts_with(r#"{"label":null,"#) && answers[2].contains(r#""tokens":0,"unknown":0,"#));
    assert_eq!(console.ask(b"abc\x18"), "{\"abandoned\":3}\r\n");
    assert_eq!(console.ask(b"\x18"), "{\"abandoned\":0}\r\n");
    assert_eq!(console.ask(b"free\x03"), "{\"stream\":false,\"bytes\":629,\"texts\":4}\r\n");
    assert!(console.machine("@top 1").starts_with(r#"{"error":"no_text","#));
    // An LF after CR belongs to the line. `top` without a text lists the classes of the last streamed text.
    assert_eq!(console.ask(b"@stream\r\nfree\x04\x03").lines().last(), Some(r#"{"stream":false,"bytes":6,"texts":1}"#));
    assert!(console.machine("@top 1").contains(r#""tokens":1,"#));
}

#[test]
fn a_stream_that_ignores_its_window() {
    let mut console = console_with_model();
    console.machine("@stream");
    let text = b"free prize\x04";
    let answers = console.flood(text, &text.repeat(200));
    let (acks, answers): (Vec<u8>, Vec<u8>) = answers.bytes().partition(|&byte| byte == ACK);
    let answers = String::from_utf8(answers).unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    let whole = 1 + CAPACITY / text.len();
    assert_eq!(answers.len(), whole + 1);
    assert!(answers[whole].starts_with(r#"{"error":"overflow""#), "{}", answers[whole]);
    assert!(answers[whole].ends_with(&format!(r#""lost":{},"queue_bytes":1024}}"#, 200 * text.len() - CAPACITY)));
    assert_eq!(acks.len(), 201 * text.len() / CREDIT as usize, "lost bytes count as consumed");
    assert!(console.flood(b"free\x04", b"").ends_with(&format!("{}\r\n", tail("free"))));
    // A damaged text ends with its EOT, or with ETX, which also leaves the mode.
    console.flood(text, &[b'a'; 2 * CAPACITY]);
    assert!(console.ask(b"free\x04").starts_with(r#"{"error":"overflow""#));
    console.flood(text, &[b'a'; 2 * CAPACITY]);
    let left = console.ask(b"free\x03");
    assert!(left.contains(r#"{"error":"overflow""#) && left.contains(r#"{"stream":false,"#), "{left}");
    assert_eq!(console.machine("@echo on"), r#"{"echo":true}"#);
}

#[test]
fn a_host_that_respects_the_window_loses_nothing() {
    let mut console = console_with_model();
    console.machine("@stream");
    let texts: Vec<String> = (0..50).map(|i| format!("{}\x04", "free prize ".repeat(i))).collect();
    let mut bytes = texts.iter().flat_map(|text| text.bytes());
    let (mut under_way, mut answers) = (0, String::new());
    loop {
        let room = (WINDOW - under_way) as usize;
        let more: Vec<u8> = bytes.by_ref().take(room).collect();
        under_way += more.len() as u32;
        if more.is_empty() {
            break;
        }
        console.receive(&more);
        let said = console.sent();
        under_way -= CREDIT * said.bytes().filter(|&byte| byte == ACK).count() as u32;
        answers.push_str(&said);
    }
    assert_eq!(answers.lines().count(), texts.len());
    assert!(console.port.events.is_empty());
}

//! Tests of machine mode: numbered answers with checksums.

use super::*;

#[test]
fn machine_mode() {
    let mut console = started_console();
    let said = console.ask(b"mode machine\r\n");
    let (echo, answer) = said.split_once("\r\n").unwrap();
    assert_eq!(echo, "mode machine");
    let hello = r#"{"mode":"machine","protocol":2}"#;
    assert_eq!(framed(answer.trim_end()), (0, hello, crc32(b"mode machine")));
    let mut ask_framed = |request: &[u8]| console.ask(&[request, b"\n"].concat());
    // One line for each request and nothing else; control characters of a text are kept.
    for (i, request) in [&b"classify free prize"[..], b"@classify free prize", b"classify free\t\x1b[A\x15 prize"]
        .into_iter()
        .enumerate()
    {
        let said = ask_framed(request);
        let (number, json, sum) = framed(said.strip_suffix("\r\n").unwrap());
        assert_eq!((number, sum), (1 + i as u32, crc32(request)));
        assert!(json.starts_with('{') && (i == 2 || json.ends_with(&tail("free prize"))), "{json}");
    }
    let said = ask_framed(b"free prize");
    assert!(framed(said.trim_end()).1.starts_with(r#"{"error":"unknown_command","#), "{said}");
    let long = [b'x'; 300];
    let said = ask_framed(&long);
    assert_eq!((framed(said.trim_end()).0, framed(said.trim_end()).2), (5, crc32(&long)));
    assert!(said.contains("line_too_long"));
    // Ctrl-C drops a line. The mode can be entered again, and left.
    let said = ask_framed(b"rubbish\x03\x03@mode machine");
    assert_eq!(framed(said.trim_end()), (0, hello, crc32(b"@mode machine")));
    let said = ask_framed(b"mode human");
    assert_eq!(framed(said.trim_end_matches("\r\n> ")), (1, r#"{"mode":"human"}"#, crc32(b"mode human")));
    assert!(console.ask(b"free\r").starts_with("free\r\nlabel"));
}

/// The transcript that the tests of both sides of machine mode use. Each `>` line is sent with LF, or with `␄` and `␃`
/// as control bytes, and is answered by the `<` lines after it.
#[test]
fn the_golden_transcript_of_machine_mode() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../trainer/src/link/machine.txt");
    let mut console = console_with_model();
    let requests = [
        "@mode machine",
        "info",
        "labels",
        "classify free prize",
        "classify xyzzy",
        "top 2 call now",
        "bob",
        "top x",
        "stream",
        "free prize, call now␄",
        "␄",
        "␃",
        "mode human",
    ];
    let mut made = String::from("made by the test `the_golden_transcript_of_machine_mode` of the firmware's console\n");
    for request in requests {
        let is_streamed = request.contains(['␄', '␃']);
        let bytes = request.replace('␄', "\x04").replace('␃', "\x03") + if is_streamed { "" } else { "\n" };
        made += &format!("> {request}\n");
        let said = console.ask(bytes.as_bytes());
        said.trim_end_matches("> ").lines().for_each(|line| made += &format!("< {line}\n"));
    }
    if std::env::var_os("TERN_BLESS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert!(made == golden, "found\n{made}\nexpected\n{golden}\nlook at what changed; TERN_BLESS=1 makes it again");
}

#[test]
fn streams_in_machine_mode_have_frames() {
    let mut console = console_with_model();
    console.ask(b"@mode machine\n");
    let said = console.ask(b"stream\nfree \x10\x43prize\x04cut\x18\x03");
    let answers: Vec<_> = said.lines().map(framed).collect();
    assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let sums = [crc32(b"stream"), crc32(b"free \x03prize"), crc32(b"cut"), 0];
    assert_eq!(answers.iter().map(|answer| answer.2).collect::<Vec<_>>(), sums);
    let tail = tail("free \x03prize");
    let (logits, _) = tail.split_once(r#","ticks""#).unwrap();
    assert!(answers[1].1.contains(logits), "{said}");
    // A damaged text has a number, but no checksum.
    console.ask(b"stream\n");
    let text = b"free prize\x04";
    let said = console.flood(text, &text.repeat(200));
    let said: String = said.chars().filter(|&c| c != ACK as char).collect();
    let last = framed(said.lines().last().unwrap());
    assert!(last.1.starts_with(r#"{"error":"overflow""#) && last.2 == 0, "{last:?}");
    assert_eq!(last.0 as usize, 5 + said.lines().count());
}

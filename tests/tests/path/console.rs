//! `tern console`: transcripts of sessions.

use std::path::Path;

use tern_tests::{assert_golden, committed, console_session, folder, trained};

/// Runs `tern console` with these input lines and returns its output.
fn session(file: &Path, lines: &str) -> String {
    console_session(file, &[], lines).replace('\r', "")
}

/// Replaces the numbers of ticks, which vary from run to run, and the checksum of the file, which varies with the
/// trainer, by `N`.
fn without_varying_numbers(session: &str) -> String {
    const JSON_KEY: &str = "\"ticks\":";
    let mut masked = String::new();
    for line in session.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let is_varying = |index: usize| {
            let is_number = words[index].starts_with(|first: char| first.is_ascii_digit());
            let is_before_ticks = words.get(index + 1).is_some_and(|next| next.starts_with("ticks"));
            (is_number && is_before_ticks) || (index > 0 && words[index - 1] == "crc32")
        };
        let words: Vec<&str> =
            (0..words.len()).map(|index| if is_varying(index) { "N" } else { words[index] }).collect();
        let mut line = words.join(" ").trim_end().to_owned();
        if let Some((before, after)) = line.split_once(JSON_KEY) {
            line = format!("{before}{JSON_KEY}N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        masked += &(line + "\n");
    }
    masked
}

#[test]
fn a_session_prints_the_golden_transcript() {
    let lines = "free prize, call now\nxyzzy\ntop 2 free prize\nlabels\n@labels\n@classify free prize\nselftest\n@selftest\n\
        help me\nhelp\necho off\nfree\n";
    assert_golden("console.txt", &without_varying_numbers(&session(&committed(), lines)));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_one_works() {
    let lines = format!("{}\nfree prize\n", "free ".repeat(100));
    let seen = session(&committed(), &lines);
    let (_, after) = seen.split_once("error: ").unwrap_or_else(|| panic!("no error in\n{seen}"));
    assert!(after.contains("256") && after.contains("stream"), "{seen}");
    assert!(after.lines().any(|line| line.contains("2 tokens, 0 unknown")), "{seen}");
}

#[test]
fn a_trained_model_answers_and_tests_itself() {
    let trained = trained();
    let seen = session(&trained.file, "info\n@info\nselftest\n");
    let golden = trained.export["golden_texts"].as_u64().unwrap();
    assert!(seen.contains(&format!("{golden} of {golden} golden examples exact")), "{seen}");
    let info =
        seen.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no answer to @info in\n{seen}"));
    let info: serde_json::Value = serde_json::from_str(info).unwrap();
    assert_eq!(info["model"]["bytes"], trained.export["file_bytes"]);
    assert_eq!(info["model"]["hidden"], 32);
}

#[test]
fn a_malformed_model_is_named_at_boot_and_for_every_text() {
    let path = folder("bad").join("bad.safetensors");
    let file = std::fs::read(committed()).unwrap();
    // A cell that this runtime does not support.
    let cell = file.windows(6).position(|bytes| bytes == b"\"lstm\"").unwrap();
    let mut bytes = file;
    bytes[cell + 1..cell + 5].copy_from_slice(b"mlps");
    std::fs::write(&path, bytes).unwrap();
    let seen = session(&path, "hello\ninfo\n");
    assert!(seen.contains("`tern.cell` is `mlps`, expected lstm"), "{seen}");
    assert!(seen.matches("error: ").count() >= 2, "at boot and for the text:\n{seen}");
}

//! Tests of the console as a person at a terminal uses it.

use super::*;

#[test]
fn the_banner_shows_board_and_model() {
    let mut console = console_with_model();
    console.start().unwrap();
    let said = console.sent();
    let begin = format!("\r\ntern {} on bench\r\nmodel `random`: 3 classes, 10 tokens, ", info::FIRMWARE);
    assert!(said.starts_with(&begin), "{said}");
    assert!(said.ends_with("; `help` lists the commands\r\n\x1b[c> "), "{said}");
}

#[test]
fn typed_texts_are_classified() {
    let mut console = started_console();
    let (logits, ..) = expected("free prize xyzzy");
    let best = (0..3).max_by_key(|&class| logits[class]).unwrap();
    let answer = console.ask(b"free prize xyzzy\r\n");
    assert!(answer.starts_with(&format!("free prize xyzzy\r\nlabel{best} ")), "{answer}");
    assert!(answer.ends_with("\r\n3 tokens, 1 unknown, 20 ticks\r\n> "), "{answer}");
    assert_eq!(answer.matches('█').count(), 19, "bars of {answer}");
    assert_eq!(console.ask(b"xyzzy\n"), "xyzzy\r\nunknown input   1 token, 1 unknown, 20 ticks\r\n> ");
    assert_eq!(console.ask(b"\r\n\r"), "\r\n\x1b[c> \r\n\x1b[c> ");
    assert_eq!(console.ask(b"echo off\r"), "echo off\r\necho off\r\n> ");
    assert_eq!(console.ask(b"xyzzy\r"), "\r\nunknown input   1 token, 1 unknown, 20 ticks\r\n> ");
}

#[test]
fn edits_are_shown_on_the_terminal() {
    let mut console = started_console();
    assert_eq!(console.ask(b"ab\x08"), "ab\x08 \x08");
    assert_eq!(console.ask("é\tß\x7f".as_bytes()), "é ß\r\x1b[K> aé ");
    assert_eq!(console.ask(b"\x1b[A\x15"), "\r\x1b[K> ");
    assert_eq!(console.ask(b"ab\x1b[Dx\x1b[C\x15"), "ab\x08\r\x1b[K> ax\x1b7b\x1b8b\r\x1b[K> ");
    assert_eq!(console.ask(b"xy\x03"), "xy^C\r\n> ");
}

#[test]
fn commands_are_completed() {
    let mut console = started_console();
    assert_eq!(console.ask(b"la\t\r"), "labels\r\n  0  label0\r\n  1  label1\r\n  2  label2\r\n> ");
    assert_eq!(console.ask(b"ec\to\t"), "echo o\r\non  off\r\n\r\x1b[K> echo o");
    assert_eq!(console.ask(b"f\t\x15"), "ff\r\x1b[K> ");
    // TABs are part of a text.
    assert_eq!(console.ask(b"free\t!\x15"), "free !\r\x1b[K> ");
    assert!(console.ask(b"\t\x03").contains("help  info  labels"));
}

#[test]
fn earlier_lines_can_be_recalled() {
    let mut console = started_console();
    console.ask(b"free\r@labels\rxyzzy\r");
    assert_eq!(console.ask(b"\x1b[A\x1b[A\x1b[B\x15"), "\r\x1b[K> xyzzy\r\x1b[K> free\r\x1b[K> xyzzy\r\x1b[K> ");
}

#[test]
fn a_terminal_that_answers_gets_colours() {
    let mut console = started_console();
    assert!(!console.ask(b"free\r").contains("\x1b["));
    assert_eq!(console.ask(b"\x1b[?62;22c"), "");
    assert!(console.ask(b"free\r").contains("\x1b[1mlabel"));
    assert!(!console.ask(b"\r").contains("\x1b[c"), "the terminal is not asked again");
    assert!(console.ask(b"top 1\rcolor off\rfree\r").ends_with(" ticks\r\n> "));
    assert!(!console.ask(b"free\r").contains("\x1b["));
    assert!(console.ask(format!("color on\r{}\r", "x".repeat(300)).as_bytes()).contains("\x1b[31merror:\x1b[0m"));
    // Answers for programs have no colours.
    assert!(!console.ask(b"@classify free\n").contains('\x1b'));
}

#[test]
fn streamed_texts_show_the_prediction_after_each_token() {
    let mut console = console_with_model();
    let said = console.ask(b"stream\rfree prize\x04xyzzy x\x04a\x18\x03");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "> stream");
    assert!(lines[1].starts_with("streaming: Ctrl-D ends a text"));
    // A token is complete, and its prediction shown, when the next one begins or the text ends.
    assert!(lines[2].starts_with("free             label"), "{said}");
    assert!(lines[3..6].iter().all(|line| line.starts_with("label")), "{said}");
    assert!(lines[6].starts_with("2 tokens, 0 unknown, "), "{said}");
    assert!(lines[7].starts_with("unknown input   2 tokens, 2 unknown, "), "{said}");
    assert_eq!(lines[8..], ["dropped 1 byte", "streaming ended: 2 texts", "> "]);
}

#[test]
fn pasted_texts_show_only_the_tokens_that_change_the_label() {
    let mut console = console_with_model();
    console.ask(b"stream\r");
    console.receive(b"free prize call now please caller free prize call now now free");
    let said = console.sent();
    let labels: Vec<&str> = said.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert!(!labels.is_empty() && labels.len() < 11, "{said}");
    assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{said}");
}

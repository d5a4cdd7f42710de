//! The console on a port that is two buffers, with a random model.

use core::convert::Infallible;
use core::mem;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use embedded_io::{ErrorType, Read, ReadReady, Write};
use tern_runtime::testing::{Aligned, Sizes, Spec, metadata, random_file, tensors};
use tern_runtime::write::{Tensor, to_bytes};
use tern_runtime::{CellKind, Input, Output, Pooling, Task};

use super::*;
use crate::classifier::Found;
use crate::crc32::crc32;
use crate::port::{Event, Loss};
use crate::queue::{CAPACITY, Dropped, Feeder, Ring, Taker, split};
use crate::soak;
use crate::stream::{ACK, CREDIT, WINDOW};

const BOARD: Board = Board { name: "bench", clock_hz: 1_000_000, scratch_bytes: 4096 };
const SIZES: Sizes = Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 };

/// A port on the real queue. Each measurement of the runtime takes 10 ticks.
struct Bench<'q> {
    feeder: Feeder<'q>,
    received: Taker<'q>,
    sent: Vec<u8>,
    ticks: u32,
    events: Vec<Event>,
    /// Arrives while the runtime works on the next text.
    meanwhile: Vec<u8>,
}

impl ErrorType for Bench<'_> {
    type Error = Infallible;
}

impl Read for Bench<'_> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        let bytes = core::iter::from_fn(|| self.received.pop());
        Ok(to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count())
    }
}

impl ReadReady for Bench<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }
}

impl Write for Bench<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Port for Bench<'_> {
    fn take_loss(&mut self) -> Option<Loss> {
        self.received.take_loss()
    }

    fn ticks(&mut self) -> u32 {
        mem::take(&mut self.meanwhile).into_iter().for_each(|byte| self.feeder.push(byte));
        self.ticks = self.ticks.wrapping_add(10);
        self.ticks
    }

    fn wait(&mut self) {}

    fn note(&mut self, event: Event) {
        self.events.push(event);
    }
}

type Tested<'c, 'm, 'q> = &'c mut Console<'m, Bench<'q>>;

/// A console with the model in `file`, before its first word.
fn with_file(file: &[u8], scratch_words: usize, test: impl FnOnce(Tested<'_, '_, '_>)) {
    let (mut ring, dropped) = (Ring::new(), Dropped::new());
    let (feeder, received) = split(&mut ring, &dropped);
    // The counter wraps in the middle of a test.
    let port = Bench { feeder, received, sent: vec![], ticks: u32::MAX - 35, events: vec![], meanwhile: vec![] };
    let mut scratch = vec![0; scratch_words];
    let found = Found::in_slot(file);
    let model = match &found {
        Ok(found) => Classifier::new(found, &mut scratch),
        Err(refusal) => Err(*refusal),
    };
    test(&mut Console::new(port, BOARD, model));
}

/// A console with a random model.
fn with_model(test: impl FnOnce(Tested<'_, '_, '_>)) {
    with_file(&random_file(1, SIZES, "3"), 1024, test);
}

/// What the console answers to `bytes`.
fn ask(console: Tested<'_, '_, '_>, bytes: &[u8]) -> String {
    for &byte in bytes {
        console.port.feeder.push(byte);
        console.poll().unwrap();
    }
    sent(console)
}

fn sent(console: Tested<'_, '_, '_>) -> String {
    String::from_utf8(mem::take(&mut console.port.sent)).unwrap()
}

/// `json` of a machine answer, which must be all that is sent.
fn machine(console: Tested<'_, '_, '_>, line: &str) -> String {
    let answer = ask(console, format!("{line}\n").as_bytes());
    let json = answer.strip_suffix("\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(json.starts_with('{') && json.ends_with('}') && !json.contains(char::is_control), "{json:?}");
    json.into()
}

/// What the runtime itself says.
fn expected(text: &str) -> (Vec<i32>, u32, u32) {
    let file = random_file(1, SIZES, "3");
    let found = Found::in_slot(&file).unwrap();
    let mut scratch = vec![0; found.model.scratch_len()];
    let mut session = found.model.session(&mut scratch).unwrap();
    let logits = session.classify(text.as_bytes()).iter().collect();
    (logits, session.tokens(), session.unknown())
}

/// A machine answer without label and probability, which follow from its logits.
fn tail(text: &str) -> String {
    let (logits, tokens, unknown) = expected(text);
    let logits: Vec<String> = logits.iter().map(|logit| format!("{logit}")).collect();
    format!(r#""logits":[{}],"tokens":{tokens},"unknown":{unknown},"ticks":20}}"#, logits.join(","))
}

#[test]
fn start() {
    with_model(|console| {
        console.start().unwrap();
        let said = sent(console);
        assert!(
            said.starts_with(&format!(
                "\r\ntern {} on bench\r\nmodel `random`: 3 classes, 10 tokens, ",
                info::FIRMWARE
            ))
        );
        assert!(said.ends_with("; `help` lists the commands\r\n\x1b[c> "), "{said}");
    });
}

#[test]
fn a_person_classifies() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        let (logits, ..) = expected("free prize xyzzy");
        let best = (0..3).max_by_key(|&class| logits[class]).unwrap();
        let answer = ask(console, b"free prize xyzzy\r\n");
        assert!(answer.starts_with(&format!("free prize xyzzy\r\nlabel{best} ")), "{answer}");
        assert!(answer.ends_with("\r\n3 tokens, 1 unknown, 20 ticks\r\n> "), "{answer}");
        assert_eq!(answer.matches('█').count(), 19, "bars of {answer}");
        assert_eq!(ask(console, b"xyzzy\n"), "xyzzy\r\nunknown input   1 token, 1 unknown, 20 ticks\r\n> ");
        assert_eq!(ask(console, b"\r\n\r"), "\r\n\x1b[c> \r\n\x1b[c> ");
        assert_eq!(ask(console, b"echo off\r"), "echo off\r\necho off\r\n> ");
        assert_eq!(ask(console, b"xyzzy\r"), "\r\nunknown input   1 token, 1 unknown, 20 ticks\r\n> ");
    });
}

#[test]
fn editing_is_shown() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        assert_eq!(ask(console, b"ab\x08"), "ab\x08 \x08");
        assert_eq!(ask(console, "é\tß\x7f".as_bytes()), "é ß\r\x1b[K> aé ");
        assert_eq!(ask(console, b"\x1b[A\x15"), "\r\x1b[K> ");
        assert_eq!(ask(console, b"ab\x1b[Dx\x1b[C\x15"), "ab\x08\r\x1b[K> ax\x1b7b\x1b8b\r\x1b[K> ");
        assert_eq!(ask(console, b"xy\x03"), "xy^C\r\n> ");
    });
}

#[test]
fn commands_are_completed() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        assert_eq!(ask(console, b"la\t\r"), "labels\r\n  0  label0\r\n  1  label1\r\n  2  label2\r\n> ");
        assert_eq!(ask(console, b"ec\to\t"), "echo o\r\non  off\r\n\r\x1b[K> echo o");
        assert_eq!(ask(console, b"f\t\x15"), "ff\r\x1b[K> ");
        // A text keeps its TABs, and a program is not helped.
        assert_eq!(ask(console, b"free\t!\x15"), "free !\r\x1b[K> ");
        assert!(ask(console, b"\t\x03").contains("help  info  labels"));
    });
}

#[test]
fn lines_come_back() {
    with_model(|console| {
        console.start().unwrap();
        ask(console, b"free\r@labels\rxyzzy\r");
        assert_eq!(ask(console, b"\x1b[A\x1b[A\x1b[B\x15"), "\r\x1b[K> xyzzy\r\x1b[K> free\r\x1b[K> xyzzy\r\x1b[K> ");
    });
}

#[test]
fn a_program_gets_one_line_for_each() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        assert_eq!(ask(console, b"ab\x03\x03@echo off\n"), "ab^C\r\n> ^C\r\n> @echo off\r\n{\"echo\":false}\r\n");
        assert_eq!(machine(console, "@echo on"), r#"{"echo":true}"#);
        for text in ["free prize, call now", "Grüße, caller!!", "free"] {
            let answer = machine(console, &format!("@classify {text}"));
            assert!(answer.ends_with(&tail(text)), "{answer}");
            let label = answer.split('"').nth(3).unwrap();
            assert!(answer.starts_with(&format!(r#"{{"label":"{label}","class":{},"probability":0."#, &label[5..])));
        }
        let nothing = r#"{"label":null,"class":null,"probability":null,"#;
        assert_eq!(machine(console, "@classify xyzzy"), format!("{nothing}{}", tail("xyzzy")));
        assert_eq!(machine(console, "@classify"), format!("{nothing}{}", tail("")));
        assert_eq!(machine(console, "@labels"), r#"{"labels":["label0","label1","label2"]}"#);
        assert_eq!(machine(console, "@selftest"), r#"{"exact":3,"golden":3,"ticks":30}"#);
        assert_eq!(console.port.events, [Event::SelfTest { exact: 3, golden: 3 }]);
        let commands = r#"{"commands":["help","info","labels","top","classify","selftest","bench","stats","stream","mode","echo","color","log","models","load","activate","rollback","erase","reset"]}"#;
        assert_eq!(machine(console, "@help"), commands);
        let misfit = machine(console, "@echo");
        assert!(
            misfit.starts_with(r#"{"error":"usage","message":""#) && misfit.ends_with(r#","usage":"@echo on|off"}"#)
        );
        // A line that is no `@` line brings the person back.
        assert!(ask(console, b"@bob?\n").ends_with(" ticks\r\n> "));
        assert_eq!(ask(console, b"\r@help\n"), format!("\r\n\x1b[c> @help\r\n{commands}\r\n"));
        assert!(ask(console, b"free\n").starts_with("> free\r\nlabel"));
    });
}

#[test]
fn top() {
    with_model(|console| {
        let none = machine(console, "@top 2");
        assert!(none.starts_with(r#"{"error":"no_text","message":""#), "{none}");
        let (logits, ..) = expected("call now");
        let mut ranking = [0, 1, 2];
        ranking.sort_by_key(|&class| (core::cmp::Reverse(logits[class]), class));
        let whole = machine(console, "@top 9999 call now");
        let classes: Vec<usize> = whole.split(r#""class":"#).skip(1).map(|rest| rest[..1].parse().unwrap()).collect();
        assert_eq!(classes, ranking);
        assert_eq!(machine(console, "@top 3"), whole);
        let one = machine(console, "@top 1");
        let first = format!(r#"{{"top":[{{"label":"label{0}","class":{0},"#, ranking[0]);
        assert!(one.starts_with(&first) && one.ends_with(r#"}],"tokens":2,"unknown":0,"ticks":20}"#), "{one}");
        assert_eq!(machine(console, "@top 3 xyzzy"), r#"{"top":[],"tokens":1,"unknown":1,"ticks":20}"#);
        machine(console, "@selftest");
        assert_eq!(machine(console, "@top 2"), none);
        let human = ask(console, b"top 2 free\n");
        assert_eq!(human.lines().count(), 5, "{human}");
    });
}

#[test]
fn ties_go_to_the_lowest_class() {
    let mut all = tensors(1, SIZES);
    for tensor in all.iter_mut().filter(|tensor| tensor.name == "fc.multiplier") {
        tensor.data.fill(0);
    }
    with_file(&Aligned::new(&to_bytes(&metadata("3"), all)), 1024, |console| {
        let answer = machine(console, "@top 9 free");
        let classes: Vec<&str> = answer.split(r#""class":"#).skip(1).map(|rest| &rest[..1]).collect();
        assert_eq!(classes, ["0", "1", "2"]);
        assert!(machine(console, "@classify free").starts_with(r#"{"label":"label0","class":0,"probability":0.3333,"#));
        // Its golden logits are zeros, and so are all its logits.
        assert_eq!(machine(console, "@selftest"), r#"{"exact":3,"golden":3,"ticks":30}"#);
    });
}

#[test]
fn a_failed_self_test_says_where() {
    // `tensors` leaves the golden logits zero.
    with_file(&Aligned::new(&to_bytes(&metadata("3"), tensors(1, SIZES))), 1024, |console| {
        let (logits, ..) = expected("Free prize, call now!!");
        let failure = format!(r#""first_failure":{{"golden":0,"class":0,"logit":{},"expected":0}}}}"#, logits[0]);
        let answer = machine(console, "@selftest");
        assert_eq!(answer, format!(r#"{{"exact":0,"golden":3,"ticks":30,{failure}"#));
        assert!(ask(console, b"selftest\n").contains("selftest FAILED: 0 of 3 golden texts exact"));
        assert_eq!(console.port.events, [Event::SelfTest { exact: 0, golden: 3 }; 2]);
    });
}

#[test]
fn every_kind_of_classifier_is_served() {
    let gru = Spec { cell: CellKind::Gru, layers: 2, pooling: Pooling::MeanMax, head_hidden: 3, ..SIZES.into() };
    let sigmoid = Spec { cell: CellKind::RnnRelu, output: Output::Sigmoid, ..SIZES.into() };
    for spec in [gru, sigmoid] {
        with_file(&spec.file(1), 1024, |console| {
            assert!(machine(console, "@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
            assert!(machine(console, "@classify free").starts_with(r#"{"label":"label"#));
        });
    }
}

#[test]
fn a_text_too_long_for_a_bidirectional_model_is_an_error() {
    let spec = Spec { bidirectional: true, ..SIZES.into() };
    let file = spec.file(1);
    let words = Found::in_slot(&file).unwrap().model.scratch_len_for(6) + SIZES.classes;
    with_file(&file, words, |console| {
        assert!(machine(console, "@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
        assert!(machine(console, "@classify now now now now now now").contains(r#""tokens":6"#));
        let answer = machine(console, "@classify now now now now now now now");
        assert!(answer.starts_with(r#"{"error":"text_too_long","message":"text too long: 7 tokens, "#), "{answer}");
        assert!(answer.ends_with(r#","tokens":7,"limit":6}"#), "{answer}");
        assert!(machine(console, "@top 2").contains("text_too_long"));
        assert!(ask(console, b"stream\nnow now now now now now now\x04").contains("error: text too long: 7 tokens"));
        assert!(ask(console, b"now\x04\x03").contains("1 token"));
    });
    with_file(&file, 20, |console| {
        assert!(machine(console, "@classify now").contains("bytes of scratch, this board has 80"));
    });
}

#[test]
fn a_language_model_says_what_comes_next() {
    let file = Spec { task: Task::LanguageModel, ..SIZES.into() }.file(1);
    with_file(&file, 1024, |console| {
        let help = machine(console, "@help");
        assert!(help.contains(r#""next","say","set","selftest""#) && !help.contains("labels"), "{help}");
        assert!(machine(console, "@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
        assert!(machine(console, "@bench").contains(r#""worst_ticks":10,"#));
        let next = machine(console, "@next 3 free prize");
        assert!(next.starts_with(r#"{"next":[{"token":""#) && next.matches("token\"").count() == 3, "{next}");
        assert!(next.ends_with(r#"}],"tokens":2,"unknown":0,"ticks":20}"#), "{next}");
        // A plain line asks the same, and the stream as well.
        let human = ask(console, b"free prize\n");
        assert_eq!(ask(console, b"next 5 free prize\n"), human.replacen("> free prize", "next 5 free prize", 1));
        assert!(ask(console, b"stream\nfree prize\x04\x03").contains("2 tokens, 0 unknown"));
        // The same seed says the same, and the likeliest token is what `next` says.
        let said = |console: Tested<'_, '_, '_>| ask(console, b"@say 6 free prize\n");
        let first = said(console);
        assert!(first.contains(r#""tokens":6,"ticks":60}"#), "{first}");
        assert_eq!(first.lines().last(), said(console).lines().last());
        assert!(ask(console, b"@set temperature 0\n").contains(r#"{"seed":1,"temperature":0.00,"top_k":40}"#));
        let token = next.split('"').nth(5).unwrap();
        assert!(ask(console, b"@say 1 free prize\n").contains(&format!(r#"{{"text":" {token}","tokens":1,"#)));
        assert!(ask(console, b"say 2 free prize\n").contains(&format!("\r\nfree prize {token}")));
        assert!(ask(console, b"@top 2 free\n").contains(r#"{"error":"other_task","#));
        assert!(ask(console, b"top 2 free\n").contains("3 tokens, 2 unknown"), "a text");
    });
}

#[test]
fn a_forecast_goes_on_with_numbers() {
    let spec = Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..SIZES.into() };
    let file = spec.file(1);
    with_file(&file, 1024, |console| {
        assert!(machine(console, "@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
        let found = Found::in_slot(&file).unwrap();
        let model = &found.model;
        let mut scratch = vec![0; model.scratch_len()];
        let mut session = model.session(&mut scratch).unwrap();
        let hundred = core::num::NonZeroU32::new(100).unwrap();
        for step in [[100, -250, 0, 725], [1, 2, 3, 4]] {
            let row: Vec<i32> =
                step.iter().enumerate().map(|(i, &v)| model.channel(i).unwrap().encode(v, hundred)).collect();
            session.feed_values(&row);
        }
        let values: Vec<String> = (0..)
            .map_while(|i| Some(crate::numbers::Value(model.forecast(i)?, session.forecast(i)?).to_string()))
            .collect();
        assert!(!values.is_empty());
        let expected = format!(r#"{{"forecast":[{}],"tokens":2,"unknown":0,"ticks":20}}"#, values.join(","));
        assert_eq!(machine(console, "@forecast 1.00 -2.5 0, 7.25; .01 .02 0.03 0.04"), expected);
        let human = ask(console, b"1 -2.5 0 7.25 0.01 0.02 0.03 0.04\n");
        assert!(human.ends_with("2 steps, 20 ticks\r\n> ") && human.contains(&values[0]), "{human}");
        // As many steps as are wanted, in the stream.
        let streamed = ask(console, b"@stream\n1.00 -2.5 0 7.25\n0.01 0.02 0.03 0.04\x04\x03");
        assert!(streamed.contains(&values.join(",")), "{streamed}");
        for (numbers, why) in
            [("1 2 x 4", "found `x`"), ("1 2 3", "has 3 numbers, expected 4"), ("1;2", "has 1 numbers")]
        {
            let answer = ask(console, format!("@forecast {numbers}\n").as_bytes());
            assert!(answer.contains(r#"{"error":"numbers","#) && answer.contains(why), "{answer}");
        }
    });
}

#[test]
fn sequences_of_numbers_are_classified() {
    let file = Spec { input: Input::Values, ..SIZES.into() }.file(1);
    with_file(&file, 1024, |console| {
        assert!(machine(console, "@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
        let answer = machine(console, "@classify 1 2 3 4; 5 6 7 8");
        assert!(answer.starts_with(r#"{"label":"label"#) && answer.contains(r#""tokens":2,"unknown":0"#), "{answer}");
        assert!(machine(console, "@top 3 1 2 3 4").contains(r#""tokens":1,"#));
        assert!(machine(console, "@classify 1 2").contains("has 2 numbers, expected 4"));
        assert!(machine(console, "@top 2 nothing").contains(r#"{"error":"numbers","#));
    });
}

#[test]
fn labels_of_a_stranger() {
    let labels = ["a\"\\\u{1b}[2J", "ß\n", "漢字"];
    let mut all = tensors(1, SIZES);
    all.retain(|tensor| !tensor.name.starts_with("labels."));
    all.extend(Tensor::texts("labels", labels));
    with_file(&Aligned::new(&to_bytes(&metadata("3"), all)), 1024, |console| {
        assert_eq!(machine(console, "@labels"), r#"{"labels":["a\"\\\u001b[2J","ß\n","漢字"]}"#);
        let human = ask(console, b"labels\n");
        assert!(human.contains("  0  a\"\\\\u{1b}[2J\r\n  1  ß\\n\r\n  2  漢字\r\n"), "{human}");
    });
}

#[test]
fn long_lines() {
    with_model(|console| {
        let long = format!("@classify {}", "free ".repeat(60));
        let answer = machine(console, &long);
        assert!(answer.starts_with(r#"{"error":"line_too_long","message":""#), "{answer}");
        assert!(answer.ends_with(r#""bytes":310,"limit":256}"#), "{answer}");
        assert_eq!(console.port.events, [Event::LineTooLong { bytes: 310 }]);
        let fits = format!("@classify {:246}", "free");
        assert_eq!(fits.len(), 256);
        assert!(machine(console, &fits).ends_with(&tail("free")));
        let human = ask(console, format!("{:257}\r", "free").as_bytes());
        assert!(
            human.ends_with(
                "\r\nerror: line too long: 257 bytes, at most 256 fit; send a long text with `stream`\r\n> "
            )
        );
    });
}

#[test]
fn streams() {
    with_model(|console| {
        let entered = r#"{"stream":true,"window":768,"credit":256}"#;
        assert_eq!(machine(console, "@stream"), entered);
        // 600 bytes and the EOT are two credits; no chunking of a text changes its answer.
        let text = "free prize ".repeat(60)[..600].to_string();
        let answer = ask(console, format!("{text}\x04").as_bytes());
        assert!(answer.starts_with("\x06\x06{") && answer.contains(r#""tokens":110,"unknown":"#), "{answer}");
        let logits = |answer: &str| answer.split(r#""logits":"#).nth(1).unwrap().split(']').next().unwrap().to_string();
        assert_eq!(logits(&answer), logits(&tail(&text)));
        // A whole text in one chunk, two texts in one chunk, bytes that look like controls, and an empty text.
        for byte in b"call now\x04caf\x10\x03\x10\x50\x04\x04" {
            console.port.feeder.push(*byte);
        }
        console.poll().unwrap();
        let answers = sent(console);
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers.len(), 3);
        assert!(answers[0].ends_with(&tail("call now")), "{answers:?}");
        assert!(answers[1].ends_with(&tail("cafC\u{10}")), "{answers:?}");
        assert!(answers[2].starts_with(r#"{"label":null,"#) && answers[2].contains(r#""tokens":0,"unknown":0,"#));
        assert_eq!(ask(console, b"abc\x18"), "{\"abandoned\":3}\r\n");
        assert_eq!(ask(console, b"\x18"), "{\"abandoned\":0}\r\n");
        assert_eq!(ask(console, b"free\x03"), "{\"stream\":false,\"bytes\":629,\"texts\":4}\r\n");
        assert!(machine(console, "@top 1").starts_with(r#"{"error":"no_text","#));
        // An LF behind CR belongs to the line; the last text of a stream can be asked for again.
        assert_eq!(
            ask(console, b"@stream\r\nfree\x04\x03").lines().last(),
            Some(r#"{"stream":false,"bytes":6,"texts":1}"#)
        );
        assert!(machine(console, "@top 1").contains(r#""tokens":1,"#));
    });
}

#[test]
fn a_person_streams() {
    with_model(|console| {
        let said = ask(console, b"stream\rfree prize\x04xyzzy x\x04a\x18\x03");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "> stream");
        assert!(lines[1].starts_with("streaming: Ctrl-D ends a text"));
        // What is typed shows the answer after each token; the last is complete with the text.
        assert!(lines[2].starts_with("free             label"), "{said}");
        assert!(lines[3..6].iter().all(|line| line.starts_with("label")), "{said}");
        assert!(lines[6].starts_with("2 tokens, 0 unknown, "), "{said}");
        assert!(lines[7].starts_with("unknown input   2 tokens, 2 unknown, "), "{said}");
        assert_eq!(lines[8..], ["dropped 1 byte", "streaming ended: 2 texts", "> "]);
    });
}

#[test]
fn what_is_pasted_shows_where_the_label_changes() {
    with_model(|console| {
        ask(console, b"stream\r");
        let words = b"free prize call now please caller free prize call now now free";
        words.iter().for_each(|&byte| console.port.feeder.push(byte));
        console.poll().unwrap();
        let said = sent(console);
        let labels: Vec<&str> = said.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert!(!labels.is_empty() && labels.len() < 11, "{said}");
        assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{said}");
    });
}

#[test]
fn a_terminal_that_answers_gets_colours() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        assert!(!ask(console, b"free\r").contains("\x1b["));
        assert_eq!(ask(console, b"\x1b[?62;22c"), "");
        assert!(ask(console, b"free\r").contains("\x1b[1mlabel"));
        assert!(!ask(console, b"\r").contains("\x1b[c"), "it is asked no more");
        assert!(ask(console, b"top 1\rcolor off\rfree\r").ends_with(" ticks\r\n> "));
        assert!(!ask(console, b"free\r").contains("\x1b["));
        assert!(ask(console, format!("color on\r{}\r", "x".repeat(300)).as_bytes()).contains("\x1b[31merror:\x1b[0m"));
        // A program gets none.
        assert!(!ask(console, b"@classify free\n").contains('\x1b'));
    });
}

#[test]
fn counters_and_costs() {
    with_model(|console| {
        let line = b"@classify free prize xyzzy\n";
        flood(console, line, &line.repeat(100));
        let stats: String = machine(console, "@stats");
        // 37 lines of 27 bytes fit the queue, the 38th is cut: 39 lines are answered, and `@stats`.
        let texts = CAPACITY / line.len() + 1;
        let (lost, tokens) = (100 * line.len() - CAPACITY, 3 * texts);
        let counters = format!(r#"{{"lines":{},"refused":1,"texts":{texts},"tokens":{tokens},"#, texts + 1);
        assert!(stats.starts_with(&format!(r#"{counters}"unknown":{texts},"dropped":{lost},"#)), "{stats}");
        assert!(ask(console, b"stats\n").contains("33.3 % unknown"));
        let bench = ask(console, b"@bench\n");
        assert!(
            bench.contains(r#"{"texts":3,"tokens":12,"ticks":30,"#) && bench.contains(r#""worst_ticks":10,"#),
            "{bench}"
        );
        assert!(machine(console, "@top 1").contains("no_text"));
        assert!(machine(console, "@reset").starts_with(r#"{"error":"no_reset","#));
    });
}

#[test]
fn the_log_is_as_asked() {
    with_model(|console| {
        let long = [b'x'; 300];
        ask(console, &[&long[..], b"\nlog error\n", &long, b"\nselftest\nlog warn\n", &long, b"\n"].concat());
        assert_eq!(console.port.events, [Event::LineTooLong { bytes: 300 }; 2]);
    });
}

/// The parts of a framed answer: number, JSON, checksum of the request. Its own checksum must fit.
fn framed(line: &str) -> (u32, &str, u32) {
    let (before, sum) = line.rsplit_once(' ').unwrap();
    assert_eq!(sum, format!("{:08x}", crc32(before.as_bytes())), "{line}");
    let (before, request) = before.rsplit_once(' ').unwrap();
    let (number, json) = before.split_once(' ').unwrap();
    (number.parse().unwrap(), json, u32::from_str_radix(request, 16).unwrap())
}

#[test]
fn machine_mode() {
    with_model(|console| {
        console.start().unwrap();
        sent(console);
        let said = ask(console, b"mode machine\r\n");
        let (echo, answer) = said.split_once("\r\n").unwrap();
        assert_eq!(echo, "mode machine");
        let hello = r#"{"mode":"machine","protocol":2}"#;
        assert_eq!(framed(answer.trim_end()), (0, hello, crc32(b"mode machine")));
        let mut ask_framed = |request: &[u8]| ask(console, &[request, b"\n"].concat());
        // One line for each, with nothing around it; texts are not edited.
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
        // Ctrl-C forgets a line; the mode can be entered again, and left.
        let said = ask_framed(b"rubbish\x03\x03@mode machine");
        assert_eq!(framed(said.trim_end()), (0, hello, crc32(b"@mode machine")));
        let said = ask_framed(b"mode human");
        assert_eq!(framed(said.trim_end_matches("\r\n> ")), (1, r#"{"mode":"human"}"#, crc32(b"mode human")));
        assert!(ask(console, b"free\r").starts_with("free\r\nlabel"));
    });
}

/// The transcript that pins both sides of machine mode: each `>` line is sent with LF, or as `␄` and `␃` say, and answered by the `<`
/// lines behind it.
#[test]
fn the_golden_transcript() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tests/golden/machine.txt");
    with_model(|console| {
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
        let mut made = String::from("made by the test `the_golden_transcript` of the firmware's console\n");
        for request in requests {
            let is_streamed = request.contains(['␄', '␃']);
            let bytes = request.replace('␄', "\x04").replace('␃', "\x03") + if is_streamed { "" } else { "\n" };
            made += &format!("> {request}\n");
            let said = ask(console, bytes.as_bytes());
            said.trim_end_matches("> ").lines().for_each(|line| made += &format!("< {line}\n"));
        }
        if std::env::var_os("TERN_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert!(made == golden, "found\n{made}\nexpected\n{golden}\nlook at what changed; TERN_BLESS=1 makes it again");
    });
}

#[test]
fn machine_mode_streams() {
    with_model(|console| {
        ask(console, b"@mode machine\n");
        let said = ask(console, b"stream\nfree \x10\x43prize\x04cut\x18\x03");
        let answers: Vec<_> = said.lines().map(framed).collect();
        assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let sums = [crc32(b"stream"), crc32(b"free \x03prize"), crc32(b"cut"), 0];
        assert_eq!(answers.iter().map(|answer| answer.2).collect::<Vec<_>>(), sums);
        let tail = tail("free \x03prize");
        let (logits, _) = tail.split_once(r#","ticks""#).unwrap();
        assert!(answers[1].1.contains(logits), "{said}");
        // A cut text has no sum, and takes a number.
        ask(console, b"stream\n");
        let text = b"free prize\x04";
        let said = flood(console, text, &text.repeat(200));
        let said: String = said.chars().filter(|&c| c != ACK as char).collect();
        let last = framed(said.lines().last().unwrap());
        assert!(last.1.starts_with(r#"{"error":"overflow""#) && last.2 == 0, "{last:?}");
        assert_eq!(last.0 as usize, 5 + said.lines().count());
    });
}

/// Sends `line`, and `meanwhile` while it is answered.
fn flood(console: Tested<'_, '_, '_>, line: &[u8], meanwhile: &[u8]) -> String {
    console.port.meanwhile = meanwhile.to_vec();
    line.iter().for_each(|&byte| console.port.feeder.push(byte));
    console.poll().unwrap();
    sent(console)
}

#[test]
fn what_fits_the_queue_is_answered() {
    with_model(|console| {
        let line = b"@classify free prize\n";
        let ahead = CAPACITY / line.len();
        let answers = flood(console, line, &line.repeat(ahead));
        assert_eq!(answers.lines().filter(|answer| answer.ends_with(&tail("free prize"))).count(), 1 + ahead);
        assert!(console.port.events.is_empty());
    });
}

#[test]
fn what_does_not_fit_is_refused_loudly() {
    with_model(|console| {
        let line = b"@classify free prize\n";
        // 48 lines of 21 bytes and 16 bytes of the next one fit.
        let answers = flood(console, line, &line.repeat(60));
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers.len(), 1 + 48 + 1);
        assert!(answers[..49].iter().all(|answer| answer.ends_with(&tail("free prize"))));
        let lost = 60 * 21 - CAPACITY as u32;
        assert!(answers[49].starts_with(r#"{"error":"overflow","message":""#));
        assert!(answers[49].ends_with(&format!(r#""lost":{lost},"queue_bytes":1024}}"#)), "{}", answers[49]);
        assert_eq!(console.port.events, [Event::Overflow { lost }]);
        // The last byte lost ended its line: the next one works.
        assert!(machine(console, "@classify free").ends_with(&tail("free")));

        // Cut in the middle: the rest of the line is discarded up to its end, CR LF counting once.
        let mut cut = line.repeat(60);
        cut.truncate(59 * 21 + 5);
        flood(console, line, &cut);
        assert_eq!(console.port.events.len(), 1, "the damaged line has not ended");
        let after = ask(console, b"free prize\r\n@classify free\r\n");
        let after: Vec<&str> = after.lines().collect();
        assert_eq!(after.len(), 2);
        assert!(after[0].starts_with(r#"{"error":"overflow""#) && after[1].ends_with(&tail("free")), "{after:?}");
        // Ctrl-C ends it too.
        flood(console, line, &cut);
        assert!(ask(console, b"free\x03").starts_with(r#"{"error":"overflow""#));
        assert!(machine(console, "@classify free").ends_with(&tail("free")));
    });
}

#[test]
fn the_form_of_an_overflow() {
    with_model(|console| {
        // The queue is cut between two lines: nothing tells the form but the line before.
        let mut ahead = vec![b'\n'; CAPACITY];
        ahead.extend_from_slice(b"free\n");
        let said = flood(console, b"free\n", &ahead);
        assert!(
            said.ends_with("answers or use `@stream`\r\n> ") && said.contains("error: overflow: 5 bytes"),
            "{said}"
        );
        let said = flood(console, b"@classify\n", &[b"@labels\n".repeat(CAPACITY / 8), b"free\n".to_vec()].concat());
        assert!(said.lines().last().unwrap().starts_with(r#"{"error":"overflow""#), "{said}");
    });
}

#[test]
fn a_stream_that_ignores_its_window() {
    with_model(|console| {
        machine(console, "@stream");
        let text = b"free prize\x04";
        let answers = flood(console, text, &text.repeat(200));
        let (acks, answers): (Vec<u8>, Vec<u8>) = answers.bytes().partition(|&byte| byte == ACK);
        let answers = String::from_utf8(answers).unwrap();
        let answers: Vec<&str> = answers.lines().collect();
        let whole = 1 + CAPACITY / text.len();
        assert_eq!(answers.len(), whole + 1);
        assert!(answers[whole].starts_with(r#"{"error":"overflow""#), "{}", answers[whole]);
        assert!(answers[whole].ends_with(&format!(r#""lost":{},"queue_bytes":1024}}"#, 200 * text.len() - CAPACITY)));
        assert_eq!(acks.len(), 201 * text.len() / CREDIT as usize, "lost bytes are consumed bytes");
        assert!(flood(console, b"free\x04", b"").ends_with(&format!("{}\r\n", tail("free"))));
        // A cut text ends with its EOT; one that is left ends the mode too.
        flood(console, text, &[b'a'; 2 * CAPACITY]);
        assert!(ask(console, b"free\x04").starts_with(r#"{"error":"overflow""#));
        flood(console, text, &[b'a'; 2 * CAPACITY]);
        let left = ask(console, b"free\x03");
        assert!(left.contains(r#"{"error":"overflow""#) && left.contains(r#"{"stream":false,"#), "{left}");
        assert_eq!(machine(console, "@echo on"), r#"{"echo":true}"#);
    });
}

#[test]
fn a_host_that_keeps_its_window_loses_nothing() {
    with_model(|console| {
        machine(console, "@stream");
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
            more.into_iter().for_each(|byte| console.port.feeder.push(byte));
            console.poll().unwrap();
            let said = sent(console);
            under_way -= CREDIT * said.bytes().filter(|&byte| byte == ACK).count() as u32;
            answers.push_str(&said);
        }
        assert_eq!(answers.lines().count(), texts.len());
        assert!(console.port.events.is_empty());
    });
}

#[test]
fn no_model() {
    let model = random_file(1, SIZES, "3");
    let cut = model[..model.len() - 1].to_vec();
    let cases: [(&[u8], usize, &str); 5] = [
        (&[0; 64], 1024, "the model slot is empty; write a device file (`tern export`) there and reset"),
        (&[0xff; 64], 1024, "the model slot is empty; write a device file (`tern export`) there and reset"),
        (&[7; 64], 1024, "the file in the model slot is refused: "),
        (&Aligned::new(&cut), 1024, "the file in the model slot is refused: the file ends after "),
        (&model, 10, "the model needs 68 bytes of scratch, this board has 40; "),
    ];
    for (file, scratch_words, why) in cases {
        with_file(file, scratch_words, |console| {
            console.start().unwrap();
            let banner = sent(console);
            assert!(banner.contains(&format!("\r\nerror: no model: {why}")), "{banner}");
            assert!(ask(console, b"free\r").contains(&format!("\r\nerror: no model: {why}")));
            for line in ["@classify free", "@top 2 free", "@labels", "@selftest", "@stream"] {
                let answer = ask(console, format!("{line}\n").as_bytes());
                assert!(answer.contains(&format!(r#"{{"error":"no_model","message":"no model: {why}"#)), "{answer}");
            }
            let info = machine(console, "@info");
            assert!(info.contains(&format!(r#""model":null,"model_error":"{why}"#)), "{info}");
            assert!(ask(console, b"info\n").contains(&format!("model       none: {why}")));
        });
    }
}

#[test]
fn information() {
    let file = random_file(1, SIZES, "3");
    let mut slot = file.to_vec();
    slot.resize(file.len() + 100, 0xff);
    with_file(&Aligned::new(&slot), 1024, |console| {
        let expected = format!(
            r#"{{"protocol":2,"firmware":"{}","board":"bench","clock_hz":1000000,"queue_bytes":1024,"line_bytes":256,"scratch_available":4096,"model":{{"name":"random","crc32":"{:08x}","bytes":{},"format":1,"vocabulary":10,"embedding":4,"hidden":6,"classes":3,"golden":3,"scratch_used":68}},"model_error":null}}"#,
            info::FIRMWARE,
            crate::crc32::crc32(&file),
            file.len()
        );
        assert_eq!(machine(console, "@info"), expected);
        let human = ask(console, b"info\n");
        assert!(human.contains("hidden      6\r\nclasses     3\r\n"), "{human}");
        assert!(
            human.contains("scratch     68 of 4096 bytes\r\nqueue       1024 bytes, line 256 bytes\r\n> "),
            "{human}"
        );
    });
}

/// Any bytes: the console goes on, each good line between them is answered, and its answers stay text. `TERN_SOAK_LINES` says how many.
#[test]
fn soak() {
    let count = std::env::var("TERN_SOAK_LINES").map_or(2_000, |count| count.parse().expect("a number of lines"));
    let answer = |sent: &[u8]| -> String {
        let answers: Vec<u8> = sent.iter().copied().filter(|&byte| byte != ACK).collect();
        String::from_utf8_lossy(&answers).trim_end().rsplit("\r\n").next().unwrap_or("").into()
    };
    let (mut bytes, mut overflows) = (0u64, 0u64);
    with_model(|console| {
        let lines = soak::Lines::new(7, 3 * CAPACITY);
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

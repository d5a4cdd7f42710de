//! Tests of requests with `@` and their JSON answers.

use super::*;
use tern_runtime::{Refusal, softmax};

#[test]
fn every_request_gets_one_json_line() {
    let mut console = started_console();
    assert_eq!(console.ask(b"ab\x03\x03@echo off\n"), "ab^C\r\n> ^C\r\n> @echo off\r\n{\"echo\":false}\r\n");
    assert_eq!(console.machine("@echo on"), r#"{"echo":true}"#);
    for text in ["free prize, call now", "Grüße, caller!!", "free"] {
        let answer = console.machine(&format!("@classify {text}"));
        assert!(answer.ends_with(&tail(text)), "{answer}");
        let label = answer.split('"').nth(3).unwrap();
        assert!(answer.starts_with(&format!(r#"{{"label":"{label}","class":{},"probability":0."#, &label[5..])));
    }
    let nothing = r#"{"label":null,"class":null,"probability":null,"#;
    assert_eq!(console.machine("@classify xyzzy"), format!("{nothing}{}", tail("xyzzy")));
    assert_eq!(console.machine("@classify"), format!("{nothing}{}", tail("")));
    assert_eq!(console.machine("@labels"), r#"{"labels":["label0","label1","label2"]}"#);
    assert_eq!(console.machine("@selftest"), r#"{"exact":3,"golden":3,"ticks":30}"#);
    assert_eq!(console.port.events, [Event::SelfTest { exact: 3, golden: 3 }]);
    let commands = r#"{"commands":["help","info","labels","top","classify","selftest","bench","stats","stream","mode","echo","color","log","models","load","activate","rollback","erase","reset"]}"#;
    assert_eq!(console.machine("@help"), commands);
    let misfit = console.machine("@echo");
    assert!(misfit.starts_with(r#"{"error":"usage","message":""#), "{misfit}");
    assert!(misfit.ends_with(r#","usage":"@echo on|off"}"#), "{misfit}");
    // A line without `@` brings the prompt back.
    assert!(console.ask(b"@bob?\n").ends_with(" ticks\r\n> "));
    assert_eq!(console.ask(b"\r@help\n"), format!("\r\n\x1b[c> @help\r\n{commands}\r\n"));
    assert!(console.ask(b"free\n").starts_with("> free\r\nlabel"));
}

#[test]
fn top_lists_classes_by_probability() {
    let mut console = console_with_model();
    let none = console.machine("@top 2");
    assert!(none.starts_with(r#"{"error":"no_text","message":""#), "{none}");
    let (logits, ..) = expected("call now");
    let mut ranking = [0, 1, 2];
    ranking.sort_by_key(|&class| (core::cmp::Reverse(logits[class]), class));
    let whole = console.machine("@top 9999 call now");
    let classes: Vec<usize> = whole.split(r#""class":"#).skip(1).map(|rest| rest[..1].parse().unwrap()).collect();
    assert_eq!(classes, ranking);
    assert_eq!(console.machine("@top 3"), whole);
    let one = console.machine("@top 1");
    let first = format!(r#"{{"top":[{{"label":"label{0}","class":{0},"#, ranking[0]);
    assert!(one.starts_with(&first) && one.ends_with(r#"}],"tokens":2,"unknown":0,"ticks":20}"#), "{one}");
    assert_eq!(console.machine("@top 3 xyzzy"), r#"{"top":[],"tokens":1,"unknown":1,"ticks":20}"#);
    console.machine("@selftest");
    assert_eq!(console.machine("@top 2"), none);
    let human = console.ask(b"top 2 free\n");
    assert_eq!(human.lines().count(), 5, "{human}");
}

#[test]
fn a_model_with_a_rule_refuses_to_answer() {
    let text = "call now";
    let logits = expected(text).0;
    let class = (0..3).rev().max_by_key(|&class| logits[class]).unwrap();
    let probability = softmax(&logits, class);
    for (below, refused_class, refused) in [
        (probability, None, false),
        (probability + 1, None, true),
        (1, Some(class), true),
        (1, Some((class + 1) % 3), false),
    ] {
        let refusal = Some(Refusal { below, class: refused_class });
        let mut console = console_with(&Spec { refusal, shift: 3, ..SIZES.into() }.file(1), 1024);
        let with_key = tail(text).replace(r#""logits""#, &format!(r#""refused":{refused},"logits""#));
        let answer = console.machine(&format!("@classify {text}"));
        assert!(answer.ends_with(&with_key), "{answer}");
        let label = if refused { "null".to_string() } else { format!("\"label{class}\"") };
        let class_or_null = if refused { "null".to_string() } else { class.to_string() };
        let begin = format!(r#"{{"label":{label},"class":{class_or_null},"probability":0."#);
        assert!(answer.starts_with(&begin), "{answer}");
        // A text without a known token is unknown and not refused.
        let unknown = console.machine("@classify xyzzy");
        assert!(unknown.starts_with(r#"{"label":null,"class":null,"probability":null,"refused":false,"#), "{unknown}");
        let human = console.ask(format!("\n{text}\n").as_bytes());
        assert_eq!(human.contains("\r\nrefused: no label fits\r\nlabel"), refused, "{human}");
        assert_eq!(console.ask(b"top 1 call now\n").contains("refused: no label fits"), refused);
        assert!(!console.ask(b"xyzzy\n").contains("refused"));
    }
}

#[test]
fn ties_go_to_the_lowest_class() {
    let mut all = tensors(1, SIZES);
    for tensor in all.iter_mut().filter(|tensor| tensor.name == "fc.multiplier") {
        tensor.data.fill(0);
    }
    let mut console = console_with(&to_bytes(&metadata("3"), all), 1024);
    let answer = console.machine("@top 9 free");
    let classes: Vec<&str> = answer.split(r#""class":"#).skip(1).map(|rest| &rest[..1]).collect();
    assert_eq!(classes, ["0", "1", "2"]);
    assert!(console.machine("@classify free").starts_with(r#"{"label":"label0","class":0,"probability":0.3333,"#));
    // Its golden logits are zeros, and so are all its logits.
    assert_eq!(console.machine("@selftest"), r#"{"exact":3,"golden":3,"ticks":30}"#);
}

#[test]
fn a_failed_self_test_reports_the_first_wrong_logit() {
    // The golden logits of `tensors` are zero.
    let mut console = console_with(&to_bytes(&metadata("3"), tensors(1, SIZES)), 1024);
    let (logits, ..) = expected("Free prize, call now!!");
    let failure = format!(r#""first_failure":{{"golden":0,"class":0,"logit":{},"expected":0}}}}"#, logits[0]);
    let answer = console.machine("@selftest");
    assert_eq!(answer, format!(r#"{{"exact":0,"golden":3,"ticks":30,{failure}"#));
    assert!(console.ask(b"selftest\n").contains("selftest FAILED: 0 of 3 golden examples exact"));
    assert_eq!(console.port.events, [Event::SelfTest { exact: 0, golden: 3 }; 2]);
}

#[test]
fn labels_are_escaped() {
    let labels = ["a\"\\\u{1b}[2J", "ß\n", "漢字"];
    let mut all = tensors(1, SIZES);
    all.retain(|tensor| !tensor.name.starts_with("labels."));
    all.extend(Tensor::texts("labels", labels));
    let mut console = console_with(&to_bytes(&metadata("3"), all), 1024);
    assert_eq!(console.machine("@labels"), r#"{"labels":["a\"\\\u001b[2J","ß\n","漢字"]}"#);
    let human = console.ask(b"labels\n");
    assert!(human.contains("  0  a\"\\\\u{1b}[2J\r\n  1  ß\\n\r\n  2  漢字\r\n"), "{human}");
}

#[test]
fn long_lines_are_rejected() {
    let mut console = console_with_model();
    let long = format!("@classify {}", "free ".repeat(60));
    let answer = console.machine(&long);
    assert!(answer.starts_with(r#"{"error":"line_too_long","message":""#), "{answer}");
    assert!(answer.ends_with(r#""bytes":310,"limit":256}"#), "{answer}");
    assert_eq!(console.port.events, [Event::LineTooLong { bytes: 310 }]);
    let fits = format!("@classify {:246}", "free");
    assert_eq!(fits.len(), 256);
    assert!(console.machine(&fits).ends_with(&tail("free")));
    let human = console.ask(format!("{:257}\r", "free").as_bytes());
    let message = "line too long: 257 bytes, at most 256 fit; send a long text with `stream`";
    assert!(human.ends_with(&format!("\r\nerror: {message}\r\n> ")), "{human}");
}

#[test]
fn counters_and_costs_are_reported() {
    let mut console = console_with_model();
    let line = b"@classify free prize xyzzy\n";
    console.flood(line, &line.repeat(100));
    let stats: String = console.machine("@stats");
    // 37 lines of 27 bytes fit the queue, and the 38th is damaged: 39 lines are answered, and `@stats`.
    let texts = CAPACITY / line.len() + 1;
    let (lost, tokens) = (100 * line.len() - CAPACITY, 3 * texts);
    let counters = format!(r#"{{"lines":{},"refused":1,"texts":{texts},"tokens":{tokens},"#, texts + 1);
    assert!(stats.starts_with(&format!(r#"{counters}"unknown":{texts},"dropped":{lost},"#)), "{stats}");
    assert!(console.ask(b"stats\n").contains("33.3 % unknown"));
    let bench = console.ask(b"@bench\n");
    for part in [r#"{"texts":3,"tokens":12,"ticks":30,"#, r#""worst_ticks":10,"answer_ticks":10,"#] {
        assert!(bench.contains(part), "{bench}");
    }
    assert!(console.machine("@top 1").contains("no_text"));
    assert!(console.machine("@reset").starts_with(r#"{"error":"no_reset","#));
}

#[test]
fn events_below_the_log_level_are_dropped() {
    let mut console = console_with_model();
    let long = [b'x'; 300];
    console.ask(&[&long[..], b"\nlog error\n", &long, b"\nselftest\nlog warn\n", &long, b"\n"].concat());
    assert_eq!(console.port.events, [Event::LineTooLong { bytes: 300 }; 2]);
}

#[test]
fn without_a_model_the_console_gives_the_reason() {
    let model = random_file(1, SIZES, "3");
    let cut = model[..model.len() - 1].to_vec();
    let empty = "the model slot is empty; `load` a device file (`tern export`), or write it with `tern flash`";
    let cases: [(&[u8], usize, &str); 5] = [
        (&[0; 64], 1024, empty),
        (&[0xff; 64], 1024, empty),
        (&[7; 64], 1024, "the file in the model slot is refused: "),
        (&cut, 1024, "the file in the model slot is refused: the file ends after "),
        (&model, 10, "the model and its answer need 68 bytes of RAM, this board reserves 40; "),
    ];
    for (file, scratch_words, why) in cases {
        let mut console = console_with(file, scratch_words);
        console.start().unwrap();
        let banner = console.sent();
        assert!(banner.contains(&format!("\r\nerror: no model: {why}")), "{banner}");
        assert!(console.ask(b"free\r").contains(&format!("\r\nerror: no model: {why}")));
        for line in ["@classify free", "@top 2 free", "@labels", "@selftest", "@stream"] {
            let answer = console.ask(format!("{line}\n").as_bytes());
            assert!(answer.contains(&format!(r#"{{"error":"no_model","message":"no model: {why}"#)), "{answer}");
        }
        let info = console.machine("@info");
        assert!(info.contains(&format!(r#""model":null,"model_error":"{why}"#)), "{info}");
        assert!(console.ask(b"info\n").contains(&format!("model       none: {why}")));
    }
}

#[test]
fn info_describes_model_and_board() {
    let file = random_file(1, SIZES, "3");
    let mut slot = file.to_vec();
    slot.resize(file.len() + 100, 0xff);
    let mut console = console_with(&slot, 1024);
    let expected = format!(
        r#"{{"protocol":2,"firmware":"{}","board":"bench","clock_hz":1000000,"queue_bytes":1024,"line_bytes":256,"scratch_available":4096,"model":{{"name":"random","crc32":"{:08x}","bytes":{},"format":1,"vocabulary":10,"embedding":4,"hidden":6,"classes":3,"golden":3,"scratch_used":56}},"model_error":null}}"#,
        info::FIRMWARE,
        crate::crc32::crc32(&file),
        file.len()
    );
    assert_eq!(console.machine("@info"), expected);
    let human = console.ask(b"info\n");
    assert!(human.contains("kind        3 classes, 10 tokens\r\nembedding   4\r\nhidden      6\r\n"), "{human}");
    let sizes = "RAM         56 of 4096 bytes for the model's state\r\nqueue       1024 bytes, line 256 bytes\r\n> ";
    assert!(human.contains(sizes), "{human}");
}

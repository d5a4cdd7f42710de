//! Tests of `tern classify` against simulated devices.

use std::time::Duration;

use tern_runtime::testing::{Aligned, Sizes, random_file};

use super::tally::Difference;
use super::*;
use crate::data::Example;
use crate::link::fake_device::{FakeDevice, Fault};

const TEXTS: [&str; 5] = ["Free prize, call now!!", "grüße\n\u{4} caller", "", "nothing known here", "now now now"];

fn file() -> Aligned {
    random_file(2, Sizes { embedding_dim: 5, hidden_size: 7, classes: 3 }, "2")
}

fn samples(model: &Model<'_>, count: usize) -> Vec<Sample> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut sample = |(&text, line): (&&str, u64)| {
        let label = session.classify(text.as_bytes()).best().class;
        Sample { example: Example { text: text.into(), label }, line }
    };
    TEXTS.iter().cycle().take(count).zip(2..).map(&mut sample).collect()
}

fn tally(fault: Fault, queued: usize) -> (Tally, Info, usize) {
    let file = file();
    let model = Model::from_bytes(&file).unwrap();
    let mut fake = FakeDevice::new(&model, &file, queued as u64);
    fake.fault = fault;
    let samples = samples(&model, 40);
    let mut client = Client::new(&mut fake, Duration::from_millis(300));
    client.synchronize().unwrap();
    let info = client.info().unwrap();
    check_model(&info, "m.safetensors".as_ref(), &file).unwrap();
    let tally = classify(&mut client, &model, &samples, queued, |_| ()).unwrap();
    assert_eq!(tally.texts, 40);
    (tally, info, fake.restarts)
}

#[test]
fn a_device_that_computes_the_same_has_no_differences() {
    for queued in [1, 4] {
        let (tally, info, _) = tally(Fault::None, queued);
        assert_eq!((tally.differences.len(), tally.rejections.len(), tally.correct), (0, 0, 40));
        assert_eq!((tally.unknown_inputs, tally.model_ticks), (16, 100 * tally.tokens));
        let json = summary::to_json(&tally, &info, true);
        assert_eq!(json["instructions_per_token"], 62.5);
        assert_eq!(json["accuracy"], 1.0);
        let json = summary::to_json(&tally, &info, false);
        assert!(json["instructions_per_token"].is_null());
        assert_eq!(json["ticks_per_token"], 100.0);
    }
}

#[test]
fn one_wrong_logit_is_shown() {
    let (tally, info, _) = tally(Fault::WrongLogit(10), 4);
    assert_eq!(tally.differences.len(), 1);
    let Difference { line, device, host, .. } = &tally.differences[0];
    assert_eq!((*line, device.logits[0]), (12, host.logits[0] + 1));
    let text = summary::to_text(&tally, &info, false, "d.csv".as_ref()).join("\n");
    assert!(text.starts_with("d.csv:12: \"Free prize, call now!!\"\n    device         label"), "{text}");
    assert!(text.contains("ticks per token, at 25000000 ticks a second"), "{text}");
}

#[test]
fn an_overflow_rejects_one_text_only() {
    for queued in [1, 4] {
        let (tally, info, restarts) = tally(Fault::Overflow(7), queued);
        assert_eq!((tally.differences.len(), tally.rejections.len(), tally.correct), (0, 1, 39), "queued {queued}");
        assert_eq!((tally.rejections[0].line, restarts), (9, if queued > 1 { 2 } else { 1 }));
        let json = summary::to_json(&tally, &info, false);
        assert_eq!((&json["refused"], &json["refusals"][0]["error"]), (&1.into(), &"overflow".into()));
    }
}

#[test]
fn a_device_with_another_file_is_refused() {
    let file = file();
    let model = Model::from_bytes(&file).unwrap();
    let fake = FakeDevice::new(&model, &file[..100], 0);
    let info: Info = serde_json::from_value(fake.info).unwrap();
    let error = check_model(&info, "m.safetensors".as_ref(), &file).unwrap_err().to_string();
    assert!(error.contains("runs `random`, 100 bytes, crc32 "), "{error}");
    assert!(error.contains(&format!("m.safetensors has {} bytes, crc32 {}", file.len(), crc32_hex(&file))), "{error}");
    let info = Info { model: None, model_error: Some("the model slot is empty".to_owned()), ..info };
    let error = check_model(&info, "m.safetensors".as_ref(), &file).unwrap_err().to_string();
    assert!(error.ends_with("runs no model: the model slot is empty"), "{error}");
}

//! Tests of the console with models of every task and kind.

use super::*;

#[test]
fn every_kind_of_classifier_runs() {
    let gru = Spec { cell: Cell::Gru, layers: 2, pooling: Pooling::MeanMax, head_hidden: 3, ..SIZES.into() };
    let sigmoid = Spec { cell: Cell::RnnRelu, output: Output::Sigmoid, ..SIZES.into() };
    for spec in [gru, sigmoid] {
        let mut console = console_with(&spec.file(1), 1024);
        assert!(console.machine("@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
        assert!(console.machine("@classify free").starts_with(r#"{"label":"label"#));
    }
}

#[test]
fn a_text_too_long_for_a_bidirectional_model_is_an_error() {
    let spec = Spec { bidirectional: true, ..SIZES.into() };
    let file = spec.file(1);
    let words = LoadedModel::from_slot(&file).unwrap().model.scratch_len_for(6) + SIZES.classes;
    let mut console = console_with(&file, words);
    assert!(console.machine("@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
    assert!(console.machine("@classify now now now now now now").contains(r#""tokens":6"#));
    let answer = console.machine("@classify now now now now now now now");
    assert!(answer.starts_with(r#"{"error":"text_too_long","message":"text too long: 7 tokens, "#), "{answer}");
    assert!(answer.ends_with(r#","tokens":7,"limit":6}"#), "{answer}");
    assert!(console.machine("@top 2").contains("text_too_long"));
    assert!(console.ask(b"stream\nnow now now now now now now\x04").contains("error: text too long: 7 tokens"));
    assert!(console.ask(b"now\x04\x03").contains("1 token"));
    let mut console = console_with(&file, 20);
    assert!(console.machine("@classify now").contains("bytes of RAM, this board reserves 80"));
}

#[test]
fn language_models_predict_the_next_token_and_generate_text() {
    let file = Spec { task: Task::LanguageModel, ..SIZES.into() }.file(1);
    let mut console = console_with(&file, 1024);
    let help = console.machine("@help");
    assert!(help.contains(r#""next","say","set","selftest""#) && !help.contains("labels"), "{help}");
    assert!(console.machine("@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
    assert!(console.machine("@bench").contains(r#""worst_ticks":10,"#));
    let next = console.machine("@next 3 free prize");
    assert!(next.starts_with(r#"{"next":[{"token":""#) && next.matches("token\"").count() == 3, "{next}");
    assert!(next.ends_with(r#"}],"tokens":2,"unknown":0,"ticks":20}"#), "{next}");
    // A plain line and a streamed text are answered in the same way.
    let human = console.ask(b"free prize\n");
    assert_eq!(console.ask(b"next 5 free prize\n"), human.replacen("> free prize", "next 5 free prize", 1));
    assert!(console.ask(b"stream\nfree prize\x04\x03").contains("2 tokens, 0 unknown"));
    // The same seed gives the same text, and the most probable token is the first one of `next`.
    let first = console.ask(b"@say 6 free prize\n");
    assert!(first.contains(r#""tokens":6,"ticks":60}"#), "{first}");
    assert_eq!(first.lines().last(), console.ask(b"@say 6 free prize\n").lines().last());
    assert!(console.ask(b"@set temperature 0\n").contains(r#"{"seed":1,"temperature":0.00,"top_k":40}"#));
    let token = next.split('"').nth(5).unwrap();
    assert!(console.ask(b"@say 1 free prize\n").contains(&format!(r#"{{"text":" {token}","tokens":1,"#)));
    assert!(console.ask(b"say 2 free prize\n").contains(&format!("\r\nfree prize {token}")));
    assert!(console.ask(b"@top 2 free\n").contains(r#"{"error":"other_task","#));
    assert!(console.ask(b"top 2 free\n").contains("3 tokens, 2 unknown"), "a text");
}

#[test]
fn forecasts_read_and_print_numbers() {
    let spec = Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..SIZES.into() };
    let file = spec.file(1);
    let mut console = console_with(&file, 1024);
    assert!(console.machine("@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
    let found = LoadedModel::from_slot(&file).unwrap();
    let model = &found.model;
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.value_session(&mut scratch).unwrap();
    let hundred = core::num::NonZeroU32::new(100).unwrap();
    for step in [[100, -250, 0, 725], [1, 2, 3, 4]] {
        let row: Vec<i32> =
            step.iter().enumerate().map(|(i, &v)| model.channel(i).unwrap().encode(v, hundred)).collect();
        session.feed(&row);
    }
    let values: Vec<String> = (0..)
        .map_while(|i| Some(crate::numbers::Value(model.forecast_channel(i)?, session.predicted(i)?).to_string()))
        .collect();
    assert!(!values.is_empty());
    let expected = format!(r#"{{"forecast":[{}],"tokens":2,"unknown":0,"ticks":20}}"#, values.join(","));
    assert_eq!(console.machine("@forecast 1.00 -2.5 0, 7.25; .01 .02 0.03 0.04"), expected);
    let human = console.ask(b"1 -2.5 0 7.25 0.01 0.02 0.03 0.04\n");
    assert!(human.ends_with("2 steps, 20 ticks\r\n> ") && human.contains(&values[0]), "{human}");
    // A stream may have any number of steps.
    let streamed = console.ask(b"@stream\n1.00 -2.5 0 7.25\n0.01 0.02 0.03 0.04\x04\x03");
    assert!(streamed.contains(&values.join(",")), "{streamed}");
    for (numbers, why) in [("1 2 x 4", "found `x`"), ("1 2 3", "has 3 numbers, expected 4"), ("1;2", "has 1 numbers")] {
        let answer = console.ask(format!("@forecast {numbers}\n").as_bytes());
        assert!(answer.contains(r#"{"error":"numbers","#) && answer.contains(why), "{answer}");
    }
}

#[test]
fn sequences_of_numbers_are_classified() {
    let file = Spec { input: Input::Values, ..SIZES.into() }.file(1);
    let mut console = console_with(&file, 1024);
    assert!(console.machine("@selftest").starts_with(r#"{"exact":3,"golden":3,"#));
    let answer = console.machine("@classify 1 2 3 4; 5 6 7 8");
    assert!(answer.starts_with(r#"{"label":"label"#) && answer.contains(r#""tokens":2,"unknown":0"#), "{answer}");
    assert!(console.machine("@top 3 1 2 3 4").contains(r#""tokens":1,"#));
    assert!(console.machine("@classify 1 2").contains("has 2 numbers, expected 4"));
    assert!(console.machine("@top 2 nothing").contains(r#"{"error":"numbers","#));
}

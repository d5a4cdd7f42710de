//! `tern classify`: every logit of the emulated device equals that of the host.

use std::fs;

use serde_json::Value;
use tern_runtime::testing::{Sizes, Spec, TOKENS};
use tern_runtime::{Input, Model, Output, Refusal, Task};
use tern_tests::{argument, assert_same_logits, error_of, firmware, folder, json, tern, train, trained};

/// Classifies a table on the emulated default board, and returns the output of `tern classify --json`.
fn classify(file: &str, data: &str) -> Value {
    let elf = argument(firmware());
    json(&["classify", file, "--data", data, "--qemu", "--firmware", elf, "--json"])
}

#[test]
fn every_logit_of_the_device_is_the_hosts() {
    let trained = trained();
    let seen = classify(argument(&trained.file), argument(&trained.validation));
    assert_same_logits(&seen);
    assert_eq!(seen["examples"], trained.export["examples"]);
    assert_eq!(seen["accuracy"], trained.export["integer_accuracy"]);
    assert!(seen["lines_per_s"].as_f64().unwrap() > 0.0);
    // A step has 6,144 multiply-accumulates, and none takes less than half an instruction.
    assert!(seen["instructions_per_token"].as_f64().unwrap() > 3_072.0, "{seen}");
}

#[test]
fn the_device_refuses_what_the_host_refuses() {
    let folder = folder("refusal");
    let texts: Vec<String> = (0..40).map(|n| format!("{} {} nobody", TOKENS[n % 8], TOKENS[n / 8])).collect();
    let spec = Spec::from(Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 });
    // The median of the probabilities of all texts is the threshold.
    let always = spec.file(1);
    let model = Model::from_bytes(&always).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut probability = |text: &String| {
        let logits = session.classify(text.as_bytes());
        logits.probability(logits.best().class)
    };
    let mut probabilities: Vec<u32> = texts.iter().map(&mut probability).collect();
    probabilities.sort_unstable();
    let below = probabilities[20];
    let refused = probabilities.iter().filter(|&&probability| probability < below).count();
    assert!((10..=20).contains(&refused), "{probabilities:?}");

    let (file, data) = (folder.join("refusing.safetensors"), folder.join("rows.csv"));
    fs::write(&file, &*Spec { refusal: Some(Refusal { below, class: None }), ..spec }.file(1)).unwrap();
    let rows: String = texts.iter().map(|text| format!("{text},label0\n")).collect();
    fs::write(&data, format!("text,label\n{rows}")).unwrap();
    let seen = classify(argument(&file), argument(&data));
    assert_same_logits(&seen);
    assert_eq!((&seen["answers_refused"], &seen["without_label"]), (&refused.into(), &0.into()), "{seen}");
}

#[test]
fn a_text_of_any_length_passes_through_the_serial_line() {
    let folder = folder("long");
    let data = folder.join("long.csv");
    // 2,400 tokens and more; control bytes that the protocol must escape; a line break; other scripts.
    let long = "the smoke detector in the server room is fine , thank you \u{4}\u{18}\u{3}\u{10} ".repeat(200);
    let rows = format!(
        "text,label\n\"{long}\",status\n\"two\nlines, Grüße из Москвы 👍\",chatter\n\"{}\",spam\n",
        "x".repeat(40_000)
    );
    fs::write(&data, rows).unwrap();
    let seen = classify(argument(&trained().file), argument(&data));
    assert_same_logits(&seen);
    assert!(seen["tokens"].as_u64().unwrap() > 2_400, "{seen}");
}

#[test]
fn another_model_runs_without_a_rebuild_and_unknown_labels_are_an_error() {
    let folder = folder("other");
    let (data, directory) = (folder.join("pets.csv"), folder.join("pets"));
    let rows: String = (0..40)
        .map(|i| format!("{} number {i},{}\n", ["the dog barks", "a cat purrs"][i % 2], ["dog", "cat"][i % 2]))
        .collect();
    fs::write(&data, format!("text,label\n{rows}")).unwrap();
    let options = ["--hidden-size", "6", "--embedding-dim", "5", "--epochs", "3", "--min-count", "1"];
    train(&data, &directory, &options);
    let file = folder.join("pets.safetensors");
    json(&["export", argument(&directory), "-o", argument(&file), "--json"]);
    let seen = classify(argument(&file), argument(&data));
    assert_eq!((&seen["examples"], &seen["disagreements"]), (&Value::from(40), &Value::from(0)), "{seen}");

    // Labels that the model does not have are an error before anything is sent.
    let arguments = ["classify", argument(&trained().file), "--data", argument(&data), "--qemu"];
    let message = error_of(tern().args(arguments).arg("--firmware").arg(firmware()), 1);
    assert!(message.contains("\"cat\""), "{message}");
}

#[test]
fn for_a_model_of_another_task_the_error_names_the_right_command() {
    let folder = folder("kinds");
    let data = folder.join("rows.csv");
    fs::write(&data, "text,label\nfree prize,label0\n").unwrap();
    let sizes = Spec::from(Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 });
    let forecast = Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..sizes };
    let language_model = Spec { task: Task::LanguageModel, ..sizes };
    for (spec, task, command) in
        [(language_model, "language model", "`say TEXT`"), (forecast, "forecast", "`forecast NUMBERS`")]
    {
        let file = folder.join("other.safetensors");
        fs::write(&file, &*spec.file(1)).unwrap();
        let arguments = ["classify", argument(&file), "--data", argument(&data), "--qemu", "--firmware", "none"];
        let message = error_of(tern().args(arguments), 1);
        let expected = format!("is a {task}, expected a classifier of texts");
        assert!(message.contains(&expected) && message.contains(command), "{message}");
        assert!(message.contains("tern eval"), "{message}");
    }
}

//! Classifiers with calibrated probabilities, and those that refuse to answer.

use crate::folder::{Folder, number, parse};
use serde_json::Value;
use std::fmt::Write;

/// Training texts of the labels `heat`, `light` and `other`, and validation texts of the same labels, some of whose
/// words occur in no training text.
fn write_tables(folder: &Folder) {
    let mut tables = ["text,label\n".to_owned(), "text,label\n".to_owned()];
    let rooms = ["kitchen", "hall", "office", "cellar", "attic", "garage", "bath"];
    let others = ["who painted this", "tell a joke please", "book a flight to rome", "sing a song for me"];
    for index in 0..140 {
        let (room, other) = (rooms[index % 7], others[index % 4]);
        // The last rows mix the words of two labels, so that no model is certain of them.
        let heat = if index % 10 == 9 { "set the lamp warm in the" } else { "warm up the" };
        let table = &mut tables[usize::from(index >= 90)];
        writeln!(table, "{heat} {room} {index},heat\nlamp on in the {room} {index},light\n{other} {index},other")
            .unwrap();
    }
    folder.write("train.csv", &tables[0]);
    folder.write("valid.csv", &tables[1]);
}

const OPTIONS: &str = "--valid valid.csv --embedding-dim 4 --hidden-size 6 --epochs 4 --learning-rate 0.02 --threads 1 \
                       --no-baselines --json";

/// The predictions of a model for the texts of the validation table: answered or refused, and the label.
fn predictions(folder: &Folder, model: &str, texts: &str) -> Vec<Value> {
    folder.run(&format!("predict {model} --json {texts}")).stdout.lines().map(parse).collect()
}

#[test]
fn probabilities_are_calibrated_and_improbable_texts_are_refused() {
    let folder = Folder::new();
    write_tables(&folder);
    let figures = folder.json(&format!("train train.csv -o m {OPTIONS} --refuse-share 0.2 --refuse-label other"));
    let (validation, calibration) = (&figures["validation"], &figures["validation"]["calibration"]);
    assert!(number(validation, "loss") <= number(calibration, "uncalibrated_loss") + 1e-9, "{calibration}");
    assert!(number(calibration, "temperature") > 0.0 && number(calibration, "uncalibrated_ece") > 0.0);
    let refusal = &validation["refusal"];
    assert_eq!((&refusal["in_scope"], &refusal["out_of_scope"]), (&100.into(), &50.into()));
    assert!((1.0..=20.0).contains(&number(refusal, "in_scope_refused")), "{refusal}");
    assert!(number(refusal, "out_of_scope_refused_share") > 0.5, "{refusal}");
    assert!(number(refusal, "answered_accuracy") >= number(validation, "accuracy"), "{validation}");
    assert!(folder.text("m/report.html").contains("<h2 id=\"refusal\">"));
    let config = parse(&folder.text("m/config.json"));
    assert_eq!(config["refusal"]["label"], "other");

    let export = folder.json("export m -o m.safetensors --json");
    let floats = folder.json("eval m --data valid.csv --json");
    assert_eq!(floats["refusal"], *refusal);
    let integers = folder.json("eval m.safetensors --data valid.csv --json")["refusal"].clone();
    assert_eq!(export["refusal"], integers);
    // The device file has its own threshold, so that it keeps the share.
    assert!((1.0..=20.0).contains(&number(&integers, "in_scope_refused")), "{integers}");
    assert!(number(&integers, "out_of_scope_refused_share") > 0.5, "{integers}");
    let rule = folder.json("inspect m.safetensors --json")["refusal"].clone();
    assert_eq!((&rule["probability"], &rule["label"]), (&integers["probability"], &"other".into()));
    assert!((number(&rule, "probability") - number(&config["refusal"], "below") / 65_536.0).abs() < 0.01, "{rule}");
    for model in ["m", "m.safetensors"] {
        let found = predictions(&folder, model, "'warm up the hall 3' 'tell a joke please' 'xyzzy'");
        assert_eq!((&found[0]["label"], &found[0]["refused"]), (&"heat".into(), &false.into()), "{found:?}");
        assert_eq!((&found[1]["label"], &found[1]["refused"]), (&Value::Null, &true.into()), "{found:?}");
        assert!(found[1]["probability"].is_number());
        // A text without a known token is unknown and not refused.
        assert_eq!((&found[2]["label"], &found[2]["refused"]), (&Value::Null, &false.into()), "{found:?}");
        let text = folder.run(&format!("predict {model} 'tell a joke please'")).stdout;
        assert!(text.starts_with("refused (other ") && text.ends_with("%)\ttell a joke please\n"), "{text}");
    }

    // The same recipe gives the same bytes.
    folder.run("train m/recipe.toml -o again/m --threads 2 --no-baselines");
    for file in ["model.safetensors", "config.json", "metrics.json"] {
        assert!(folder.bytes(&format!("m/{file}")) == folder.bytes(&format!("again/m/{file}")), "{file}");
    }
}

#[test]
fn without_the_settings_a_model_always_answers() {
    let folder = Folder::new();
    write_tables(&folder);
    let figures = folder.json(&format!("train train.csv -o m {OPTIONS} --no-temperature-scaling"));
    assert!(figures["validation"]["calibration"]["temperature"].is_null(), "{figures}");
    assert!(figures["validation"]["refusal"].is_null());
    // The logits are those of the last epoch.
    let best = figures["best_epoch"].as_u64().unwrap() as usize;
    let loss = number(&figures["history"][best - 1], "valid_loss");
    assert!((loss - number(&figures["validation"], "loss")).abs() < 1e-6, "{figures}");
    assert!(predictions(&folder, "m", "'tell a joke please'")[0]["refused"].is_null());
    let config = parse(&folder.text("m/config.json"));
    assert!(config["temperature"].is_null() && config["refusal"].is_null(), "{config}");

    // An export can add a rule to the device file.
    let always = folder.json("export m -o always.safetensors --json");
    let rule = "--refuse-share 0.2 --refuse-label other";
    let refuses = folder.json(&format!("export m -o refuses.safetensors {rule} --json"));
    assert!(
        always["refusal"].is_null() && number(&refuses["refusal"], "out_of_scope_refused_share") > 0.5,
        "{refuses}"
    );
    assert!((1.0..=20.0).contains(&number(&refuses["refusal"], "in_scope_refused")), "{refuses}");
    assert_eq!(predictions(&folder, "refuses.safetensors", "'tell a joke please'")[0]["refused"], true);
    // It is fitted to the validation rows of the model, also where others are compared.
    let bytes = folder.bytes("refuses.safetensors");
    folder.run(&format!("export m -o refuses.safetensors {rule} --data train.csv"));
    assert!(folder.bytes("refuses.safetensors") == bytes);
    folder.run("export m -o refuses.safetensors --refuse-share 0");
    assert!(folder.bytes("refuses.safetensors") == folder.bytes("always.safetensors"));
    // The card is that of the model.
    assert!(!folder.text("m/README.md").contains("refuses"));
    for (options, status, expected) in [
        ("--refuse-share 1", 2, "--refuse-share is 1, expected 0 to 0.9"),
        ("--refuse-label other", 2, "--refuse-share <X>"),
        ("--refuse-share 0.1 --refuse-label others", 1, "--refuse-label is \"others\", expected one of its labels"),
    ] {
        folder.fails(&format!("export m -o refuses.safetensors {options}"), status, expected);
    }
}

#[test]
fn cross_validated_sequences_are_calibrated_and_refused() {
    let folder = Folder::new();
    let mut table = "sequence,label,level\n".to_owned();
    for sequence in 0..60 {
        // One sequence in ten is level, so that its label is a guess.
        let slope = if sequence % 10 > 7 { 0 } else { 1 - 2 * (sequence % 2) };
        for step in 0..4 {
            let (label, level) = (["up", "down"][sequence as usize % 2], 900 + sequence + 50 * slope * step);
            writeln!(table, "s{sequence},{label},{level}").unwrap();
        }
    }
    folder.write("ramps.csv", &table);
    let options = "--cell gru --hidden-size 6 --epochs 12 --learning-rate 0.02 --threads 1 --refuse-share 0.2";
    let figures = folder.json(&format!("train ramps.csv --input values -o m --json {options}"));
    let (validation, calibration) = (&figures["validation"], &figures["validation"]["calibration"]);
    assert_eq!((&validation["folds"], &validation["refusal"]["label"]), (&5.into(), &Value::Null));
    assert!(number(validation, "loss") <= number(calibration, "uncalibrated_loss") + 1e-6, "{calibration}");
    assert!(number(&validation["refusal"], "in_scope_refused") <= 12.0, "{validation}");
    // The report is made again from the predictions of the folds.
    let report = folder.text("m/report.html");
    folder.run("report m");
    assert_eq!(report, folder.text("m/report.html"));
    folder.run("export m -o m.safetensors");
    for model in ["m", "m.safetensors"] {
        let found: Vec<Value> =
            folder.run(&format!("predict {model} ramps.csv --json")).stdout.lines().map(parse).collect();
        assert!(found.iter().all(|row| row["label"].is_null() == (row["refused"] == true)), "{found:?}");
        assert!(found.iter().any(|row| row["refused"] == false), "{found:?}");
    }
}

#[test]
fn settings_of_a_refusal_that_do_not_fit_are_errors() {
    let folder = Folder::new();
    write_tables(&folder);
    for (options, status, expected) in [
        ("--refuse-label other", 2, "--refuse-label is \"other\", expected nothing where refuse_share is 0"),
        ("--refuse-share 1.5", 2, "--refuse-share is 1.5, expected 0 to 0.9"),
        ("--refuse-share 0.1 --task forecast", 2, "--refuse-share is 0.1, expected 0 where task is not classify"),
        ("--refuse-share 0.1 --refuse-label others", 1, "refuse_label is \"others\", expected a label of the training"),
    ] {
        folder.fails(&format!("train train.csv -o m {options}"), status, expected);
    }
}

//! Every task from data to answers: sequences of numbers, language models, forecasts.

use super::{stderr, tern};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&ok(output)).unwrap()
}

fn fails(output: &Output, status: i32, expected: &str) {
    assert_eq!(output.status.code(), Some(status), "{}", stderr(output));
    assert!(stderr(output).contains(expected), "{}", stderr(output));
}

/// Ramps that rise or fall on one channel, a constant on another.
fn ramps(path: &Path) {
    let mut table = "sequence,label,level,offset\n".to_owned();
    for sequence in 0..60 {
        let (label, slope) = [("up", 0.5), ("down", -0.5)][sequence % 2];
        for step in 0..3 + sequence % 5 {
            let level = slope * step as f64 + 100.0 + (sequence % 7) as f64;
            let offset = if step == 1 { "NA" } else { "7" };
            writeln!(table, "s{sequence},{label},{level},{offset}").unwrap();
        }
    }
    fs::write(path, table).unwrap();
}

#[test]
fn sequences_of_numbers_are_classified() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    ramps(&dir.join("ramps.csv"));
    let options = [
        "--input",
        "values",
        "-o",
        "m",
        "--json",
        "--cell",
        "gru",
        "--epochs",
        "40",
        "--learning-rate",
        "0.02",
        "--threads",
        "1",
        "--valid-fraction",
        "0.1",
    ];
    let figures = json(&tern(dir, &[&["train", "ramps.csv"][..], &options].concat()));
    assert!(figures["validation"]["accuracy"].as_f64().unwrap() > 0.9, "{figures}");
    let config: Value = serde_json::from_str(&fs::read_to_string(dir.join("m/config.json")).unwrap()).unwrap();
    assert_eq!((&config["input"], &config["channels"][0]["name"]), (&"values".into(), &"level".into()));
    assert_eq!(config["channels"][1]["std"], 1.0);
    assert!(!dir.join("m/tokenizer.json").exists());

    let evaluation = json(&tern(dir, &["eval", "m", "--data", "m/validation.csv", "--json"]));
    for key in ["examples", "accuracy", "loss", "macro_f1"] {
        assert_eq!(evaluation[key], figures["validation"][key], "{key}");
    }
    fs::write(dir.join("new.csv"), "sequence,level,offset\nx,100,7\nx,101,7\nx,102,7\ny,104,7\ny,102.5,7\n").unwrap();
    let lines = ok(&tern(dir, &["predict", "m", "new.csv", "--json"]));
    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&said[0]["sequence"], &said[0]["label"], &said[0]["steps"]), (&"x".into(), &"up".into(), &3.into()));
    assert_eq!((&said[1]["sequence"], &said[1]["label"]), (&"y".into(), &"down".into()));

    // The same recipe gives the same bytes.
    ok(&tern(dir, &["train", "m/recipe.toml", "-o", "again/m", "--threads", "2"]));
    for file in ["model.safetensors", "config.json", "metrics.json"] {
        assert!(
            fs::read(dir.join("m").join(file)).unwrap() == fs::read(dir.join("again/m").join(file)).unwrap(),
            "{file}"
        );
    }
    let export = json(&tern(dir, &["export", "m", "-o", "m.safetensors", "--json"]));
    let accuracy = |of: &Value| of["accuracy"].as_f64().unwrap();
    assert!((export["integer_accuracy"].as_f64().unwrap() - accuracy(&evaluation)).abs() < 0.1, "{export}");
    assert_eq!((&export["float_accuracy"], &export["task"]), (&evaluation["accuracy"], &"classify".into()));
    let integer = json(&tern(dir, &["eval", "m.safetensors", "--data", "m/validation.csv", "--json"]));
    assert_eq!(integer["accuracy"], export["integer_accuracy"]);
    let by_device = ok(&tern(dir, &["predict", "m.safetensors", "new.csv", "--json"]));
    let by_device: Vec<Value> = by_device.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (float, integer) in said.iter().zip(&by_device) {
        assert_eq!((&float["label"], &float["steps"]), (&integer["label"], &integer["steps"]));
        let (a, b) = (float["logits"][0].as_f64().unwrap(), integer["logits"][0].as_i64().unwrap() as f64 / 65_536.0);
        assert!((a - b).abs() < 0.05, "{float} {integer}");
    }
    let golden = json(&tern(dir, &["inspect", "m.safetensors", "--json"]))["golden"].clone();
    assert!(golden["total"].as_u64().unwrap() >= 2 && golden["passed"] == golden["total"], "{golden}");

    for (table, expected) in [
        ("sequence,label,a\nx,up,1\nx,down,2\n", "line 3: sequence \"x\" has label \"down\", expected \"up\""),
        ("sequence,label,a\nx,up,1\ny,up,2\nx,up,3\n", "line 4: sequence \"x\" begins again"),
        ("sequence,label,a\nx,up,1\ny,up,2\n", "every label is \"up\""),
        ("label,a\nup,1\n", "no column \"sequence\""),
        ("sequence,label,a\nx,up,one\n", "no column of numbers: \"a\": text such as \"one\" in line 2"),
    ] {
        fs::write(dir.join("bad.csv"), table).unwrap();
        fails(&tern(dir, &["train", "bad.csv", "--input", "values", "-o", "bad"]), 1, expected);
    }
    fails(&tern(dir, &["predict", "m"]), 1, "name a table");
}

/// Sentences of a small grammar.
fn sentences(path: &Path) {
    let mut text = String::new();
    for index in 0..300 {
        let (who, what) = [("cat", "milk"), ("dog", "water"), ("bird", "rain")][index * 7 % 3];
        writeln!(text, "the {who} drinks {what} .").unwrap();
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_language_model_says_what_comes_next_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    sentences(&dir.join("text.txt"));
    let options =
        ["-o", "m", "--json", "--embedding-dim", "8", "--hidden-size", "16", "--window", "16", "--epochs", "40"];
    let more = ["--learning-rate", "0.02", "--threads", "1"];
    let figures = json(&tern(dir, &[&["train", "text.txt"][..], &options, &more].concat()));
    // The animals come in turn. To whom only the sentence is known, each is one of three, in six tokens.
    let bound = 3f64.ln() / 6.0;
    let loss = figures["validation"]["loss"].as_f64().unwrap();
    assert!(loss < bound, "{loss}, without memory {bound}");
    assert!(figures["history"][0]["valid_bits_per_character"].is_number());

    let evaluation = json(&tern(dir, &["eval", "m", "--data", "m/validation.txt", "--json"]));
    assert_eq!(evaluation, figures["validation"]);
    let next = json(&tern(dir, &["predict", "m", "--json", "--top", "2", "the dog drinks"]));
    assert_eq!((&next["next"][0]["token"], &next["tokens"]), (&"water".into(), &3.into()));
    assert_eq!(next["next"].as_array().unwrap().len(), 2);
    assert!(ok(&tern(dir, &["predict", "m", "qwerty"])).starts_with("unknown input"));

    let write =
        |seed: &str| ok(&tern(dir, &["generate", "m", "--prompt", "the bird", "--length", "12", "--seed", seed]));
    assert_eq!(write("1"), write("1"));
    assert!(write("1").starts_with("the bird drinks rain. the "), "{}", write("1"));
    let object = json(&tern(dir, &["generate", "m", "--temperature", "0", "--length", "5", "--json"]));
    assert_eq!(object["tokens"], 5);
    fails(&tern(dir, &["generate", "m", "--prompt", "qwerty"]), 1, "unknown input");
    fails(&tern(dir, &["generate", "m", "--temperature", "-1"]), 2, "--temperature is -1, expected 0 or more");

    let export = json(&tern(dir, &["export", "m", "-o", "m.safetensors", "--json"]));
    let number = |of: &Value, key: &str| of[key].as_f64().unwrap_or_else(|| panic!("{key} in {of}"));
    assert!((number(&export, "float_loss") - number(&evaluation, "loss")).abs() < 1e-4, "{export}");
    assert!((number(&export, "integer_loss") - number(&export, "float_loss")).abs() < 0.02, "{export}");
    assert!(number(&export, "top_token_agreement") > 0.95, "{export}");
    let integer = json(&tern(dir, &["eval", "m.safetensors", "--data", "m/validation.txt", "--json"]));
    for (key, exported) in [("loss", "integer_loss"), ("perplexity", "integer_perplexity")] {
        assert!((number(&integer, key) - number(&export, exported)).abs() < 1e-6, "{integer} {export}");
    }
    for key in ["tokens", "unknown", "characters"] {
        assert_eq!(integer[key], evaluation[key], "{key}");
    }
    let by_device = json(&tern(dir, &["predict", "m.safetensors", "--json", "--top", "2", "the dog drinks"]));
    assert_eq!(by_device["next"][0]["token"], "water");
    let write = |seed: &str| {
        let prompt = ["generate", "m.safetensors", "--prompt", "the bird", "--length", "12", "--seed", seed];
        ok(&tern(dir, &prompt))
    };
    assert_eq!(write("1"), write("1"));
    assert!(write("1").starts_with("the bird drinks "), "{}", write("1"));
    let object = |model| {
        json(&tern(dir, &["generate", model, "--prompt", "the dog", "--temperature", "0", "--length", "5", "--json"]))
    };
    assert_eq!(
        object("m")["text"],
        object("m.safetensors")["text"],
        "the likeliest token is the same in either arithmetic"
    );

    fs::write(dir.join("short.txt"), "a few words\n").unwrap();
    fails(&tern(dir, &["train", "short.txt", "-o", "bad"]), 1, "use --tokenizer chars or bytes");
    fs::write(dir.join("latin.txt"), b"caf\xe9").unwrap();
    fails(&tern(dir, &["train", "latin.txt", "-o", "bad"]), 1, "is not UTF-8");
    fails(
        &tern(dir, &["train", "text.txt", "--bidirectional", "-o", "bad"]),
        2,
        "it would read the token that it predicts",
    );
}

/// A season of six months on a rising line, and a channel that tells nothing.
fn months(path: &Path) {
    let mut table = "month,sales,noise\n".to_owned();
    for month in 0..240 {
        let season = [0.0, 5.0, 9.0, 4.0, -3.0, -8.0][month % 6];
        let sales = if month == 100 { "NA".to_owned() } else { format!("{}", 50.0 + 0.2 * month as f64 + season) };
        writeln!(table, "m{month},{sales},{}", month * 37 % 11).unwrap();
    }
    fs::write(path, table).unwrap();
}

#[test]
fn a_series_is_forecast_better_than_naively() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    months(&dir.join("months.csv"));
    let task = ["--task", "forecast", "--window", "12", "--horizon", "3", "--season", "6", "--valid-fraction", "0.2"];
    let options = [
        "-o",
        "m",
        "--json",
        "--cell",
        "gru",
        "--hidden-size",
        "16",
        "--learning-rate",
        "0.02",
        "--epochs",
        "60",
        "--threads",
        "1",
    ];
    let figures = json(&tern(dir, &[&["train", "months.csv"][..], &task, &options].concat()));
    let validation = &figures["validation"];
    assert_eq!((&validation["examples"], &validation["numbers"]), (&46.into(), &138.into()));
    // The line rises by 1.2 in a season: that is what the season before is off by.
    assert!((validation["seasonal_naive_rmse"].as_f64().unwrap() - 1.2).abs() < 1e-3, "{validation}");
    assert!(validation["rmse"].as_f64().unwrap() < 1.2, "{validation}");
    assert!(validation["rmse_to_naive"].as_f64().unwrap() < 0.2, "{validation}");

    let evaluation = json(&tern(dir, &["eval", "m", "--data", "m/validation.csv", "--json"]));
    assert_eq!(&evaluation, validation);
    let said = json(&tern(dir, &["predict", "m", "months.csv", "--json"]));
    assert_eq!((&said["rows"], said["forecast"].as_array().unwrap().len()), (&240.into(), 3));
    let next = said["forecast"][0]["sales"].as_f64().unwrap();
    assert!((next - 98.0).abs() < 4.0, "{next}, expected about 98");
    assert_eq!(ok(&tern(dir, &["predict", "m", "months.csv"])).lines().next(), Some("step,sales"));

    let export = json(&tern(dir, &["export", "m", "-o", "m.safetensors", "--json"]));
    let rmse = |of: &Value, key: &str| of[key].as_f64().unwrap_or_else(|| panic!("{key} in {of}"));
    assert!((rmse(&export, "float_rmse") - rmse(validation, "rmse")).abs() < 1e-9, "{export}");
    assert!((rmse(&export, "integer_rmse") / rmse(&export, "float_rmse") - 1.0).abs() < 0.05, "{export}");
    let integer = json(&tern(dir, &["eval", "m.safetensors", "--data", "m/validation.csv", "--json"]));
    assert!((rmse(&integer, "rmse") / rmse(&export, "integer_rmse") - 1.0).abs() < 0.05, "{integer} {export}");
    let by_device = json(&tern(dir, &["predict", "m.safetensors", "months.csv", "--json"]));
    assert_eq!(by_device["forecast"].as_array().unwrap().len(), 3);
    let difference = by_device["forecast"][0]["sales"].as_f64().unwrap() - next;
    assert!(difference.abs() < 0.2, "floats and integers differ by {difference}");
    fails(&tern(dir, &["export", "m", "-o", "m.safetensors", "--golden", "months.csv"]), 1, "reads numbers");
    let train =
        |more: &[&str]| tern(dir, &[&["train", "months.csv", "--task", "forecast", "-o", "bad"][..], more].concat());
    fails(&train(&["--targets", "profit"]), 1, "no column \"profit\"");
    fails(&train(&["--columns", "month"]), 1, "line 2: \"m0\" in column \"month\" is not a number");
    fails(&train(&["--window", "300"]), 1, "expected 301 or more");
    fs::write(dir.join("three.csv"), "sales,noise\n1,2\n3,4\n5,6\n").unwrap();
    fails(&tern(dir, &["predict", "m", "three.csv"]), 1, "3 rows, expected 12 or more");
}

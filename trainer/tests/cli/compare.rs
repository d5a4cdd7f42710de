//! Two models of the same task on the same data; models that answer other questions are refused.

use super::{stderr, tern};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn train(dir: &Path, args: &[&str]) {
    let output = tern(dir, &[&["train"][..], args, &["--hidden-size", "8", "--threads", "1"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
}

fn compare(dir: &Path, a: &str, b: &str, data: &str) -> Value {
    let output = tern(dir, &["compare", a, b, "--data", data, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(dir: &Path, a: &str, b: &str, data: &str, expected: &str) {
    let output = tern(dir, &["compare", a, b, "--data", data]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn models_of_a_task_are_compared_and_others_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (mut novel, mut months, mut ramps) = (String::new(), "sales\n".to_owned(), "sequence,label,level\n".to_owned());
    for index in 0..240 {
        novel += &format!("the {} drinks {} .\n", ["cat", "dog", "bird"][index % 3], ["milk", "rain"][index * 7 % 2]);
        months += &format!("{}\n", index / 6 + index * 5 % 6);
        let (sequence, step) = (index / 4, index % 4);
        let label = ["flat", "up"][sequence % 2];
        ramps += &format!("s{sequence},{label},{}\n", index / 8 + step * (sequence % 2) * 3);
    }
    for (name, text) in [("novel.txt", &novel), ("months.csv", &months), ("ramps.csv", &ramps)] {
        fs::write(dir.join(name), text).unwrap();
    }
    let novel = ["novel.txt", "--window", "16", "--embedding-dim", "8", "--learning-rate", "0.02"];
    train(dir, &[&novel[..], &["-o", "good", "--epochs", "8"]].concat());
    train(dir, &[&novel[..], &["-o", "poor", "--epochs", "1"]].concat());
    train(dir, &[&novel[..], &["-o", "letters", "--epochs", "1", "--tokenizer", "chars"]].concat());
    let found = compare(dir, "good", "poor", "novel.txt");
    assert!(found["difference"].as_f64().unwrap() > 0.1, "{found}");
    assert!(found["difference_interval"][0].as_f64().unwrap() > 0.0, "{found}");
    assert!(found["verdict"].as_str().unwrap().starts_with("A is better than B"), "{found}");
    let whole = tern(dir, &["eval", "good", "--data", "novel.txt", "--json"]);
    let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
    let (loss, expected) = (found["a"]["mean_loss"].as_f64().unwrap(), whole["loss"].as_f64().unwrap());
    assert!((loss - expected).abs() < 1e-9, "{loss}, expected {expected}");
    assert_eq!(found["a"]["bits_per_character"], whole["bits_per_character"]);
    // A model is as good as itself, and its device file knows the same tokens by other numbers.
    let found = compare(dir, "good", "good", "novel.txt");
    assert_eq!(found["difference"].as_f64(), Some(0.0));
    assert!(found["verdict"].as_str().unwrap().starts_with("A and B have the same loss"), "{found}");
    let output = tern(dir, &["export", "good", "-o", "good.safetensors"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let found = compare(dir, "good", "good.safetensors", "novel.txt");
    assert!(found["difference"].as_f64().unwrap().abs() < 0.05, "{found}");
    refused(dir, "good", "letters", "novel.txt", "their tokens are not the same");

    let months = ["months.csv", "--task", "forecast", "--season", "6", "--learning-rate", "0.02"];
    train(dir, &[&months[..], &["-o", "year", "--window", "12", "--horizon", "3", "--epochs", "20"]].concat());
    train(dir, &[&months[..], &["-o", "short", "--window", "2", "--horizon", "3", "--epochs", "1"]].concat());
    train(dir, &[&months[..], &["-o", "one", "--window", "6", "--epochs", "1"]].concat());
    let found = compare(dir, "year", "short", "months.csv");
    // Both from the twelfth row on.
    assert_eq!((&found["examples"], &found["unit"]), (&226.into(), &"windows".into()));
    assert!(found["verdict"].as_str().unwrap().starts_with("A is better than B"), "{found}");
    refused(dir, "year", "one", "months.csv", "expected the same columns and as many rows");

    let ramps = ["ramps.csv", "--input", "values", "--learning-rate", "0.02"];
    train(dir, &[&ramps[..], &["-o", "steep", "--epochs", "20"]].concat());
    let found = compare(dir, "steep", "steep", "ramps.csv");
    assert_eq!((&found["examples"], &found["agreements"]), (&60.into(), &60.into()));
    refused(dir, "steep", "year", "ramps.csv", "steep is for classify on values and year for forecast on values");
}

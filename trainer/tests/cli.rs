//! The `tern` command as a process: exit statuses, streams, files.

#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/lessons.rs"]
mod lessons;
#[path = "cli/signed.rs"]
mod signed;
#[path = "cli/tables.rs"]
mod tables;
#[path = "cli/tasks.rs"]
mod tasks;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn tern(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tern")).current_dir(folder).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a table of messages.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "text,label\n".to_owned();
    for index in 0..60 {
        let (text, label) = match index % 2 {
            0 => (format!("win a free prize now, offer {index}!!"), "spam"),
            _ => (format!("see you at lunch, table {index}"), "ham"),
        };
        table += &format!("\"{text}\",{label}\n");
    }
    fs::write(folder.path().join("messages.csv"), table).unwrap();
    folder
}

/// Options of a quick training with a validation split.
const SMALL: [&str; 12] = [
    "--embedding-dim",
    "4",
    "--hidden-size",
    "6",
    "--epochs",
    "6",
    "--learning-rate",
    "0.02",
    "--threads",
    "1",
    "--valid-fraction",
    "0.1",
];

fn train(folder: &Path, more: &[&str]) -> Output {
    tern(folder, &[&["train", "messages.csv", "-o", "models/spam"][..], &SMALL, more].concat())
}

#[test]
fn train_eval_predict() {
    let folder = folder();
    let output = train(folder.path(), &["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["validation"]["accuracy"].as_f64().unwrap() > 0.9, "{figures}");
    assert!(stderr(&output).contains("epoch   1/6"), "{}", stderr(&output));
    let model = folder.path().join("models/spam");
    for file in [
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "recipe.toml",
        "validation.csv",
        "calibration.csv",
        "metrics.json",
        "README.md",
        "report.html",
    ] {
        assert!(model.join(file).is_file(), "{file} is missing");
    }

    for name in ["linear_ngrams", "bag_of_embeddings"] {
        assert!(figures["baselines"][name]["accuracy"].as_f64().unwrap() > 0.9, "{figures}");
    }
    let table = stderr(&output);
    for row in [
        "always the most frequent label ",
        "linear, tf-idf of words and pairs of words ",
        "bag of embeddings, ",
        "this model ",
    ] {
        assert!(table.contains(&format!("\n{row}")), "{row}: {table}");
    }

    let output = tern(folder.path(), &["eval", "models/spam", "--data", "models/spam/validation.csv", "--json"]);
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["examples", "accuracy", "loss", "macro_f1"] {
        assert_eq!(evaluation[key], figures["validation"][key], "{key}");
    }
    assert!(evaluation["per_class"]["spam"]["precision"].is_number());

    let output = tern(folder.path(), &["predict", "models/spam", "--json", "--trace", "FREE prize qwerty"]);
    let prediction: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&prediction["tokens"], &prediction["unknown"]), (&3.into(), &1.into()));
    assert_eq!(prediction["logits"].as_array().unwrap().len(), 2);
    assert_eq!(prediction["trace"][0]["token"], "free");
    assert_eq!(prediction["trace"][2]["probability"], prediction["probability"]);
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    let folder = folder();
    assert!(train(folder.path(), &[]).status.success());
    let again = tern(folder.path(), &["train", "models/spam/recipe.toml", "-o", "again/spam", "--threads", "2"]);
    assert!(again.status.success(), "{}", stderr(&again));
    for entry in fs::read_dir(folder.path().join("models/spam")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name != "recipe.toml" {
            let again = folder.path().join("again/spam").join(name);
            assert!(fs::read(&path).unwrap() == fs::read(again).unwrap(), "{} differs", path.display());
        }
    }
}

#[test]
fn data_is_shown_converted_and_split() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let json = |args: &[&str]| -> Value {
        let output = tern(folder.path(), &[&["data"][..], args, &["--json"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    write("more.tsv", "text\tlabel\r\nsee you at lunch, table 1\tspam\r\nnew\tham\r\n \tham\r\n");
    let shown = json(&["messages.csv", "more.tsv"]);
    assert_eq!(shown["sources"][0]["classes"], serde_json::json!({"ham": 30, "spam": 30}));
    assert_eq!(shown["sources"][0]["length"]["max"], 7);
    assert_eq!(shown["sources"][1]["empty"], 1);
    assert_eq!(shown["sources"][1]["encoding"], "ASCII, lines end in CR LF");
    assert_eq!(shown["overlap"][0]["texts"], 1);
    let output = tern(folder.path(), &["data", "messages.csv"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("messages.csv: 60 rows of 2 classes, ASCII\n  ham       30  50.0 %  █"), "{text}");

    // Both files together: one text then has two labels.
    json(&["messages.csv", "more.tsv", "-o", "all.jsonl"]);
    let all = json(&["all.jsonl"]);
    assert_eq!((&all["sources"][0]["rows"], &all["sources"][0]["conflicting"]), (&63.into(), &1.into()));
    let split = ["messages.csv", "-o", "parts/m.csv", "--split", "0.8,0.1,0.1", "--stratify", "--seed", "7"];
    assert_eq!(json(&split)["written"][2], serde_json::json!({"path": "parts/m.test.csv", "rows": 6}));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let first = ["parts/m.train.csv", "parts/m.valid.csv", "parts/m.test.csv"].map(read);
    json(&split);
    assert_eq!(first, ["parts/m.train.csv", "parts/m.valid.csv", "parts/m.test.csv"].map(read));
    let parts = json(&["parts/m.train.csv", "parts/m.valid.csv", "parts/m.test.csv"]);
    assert_eq!(parts["sources"][1]["classes"], serde_json::json!({"ham": 3, "spam": 3}));
    assert!(parts["overlap"].as_array().unwrap().iter().all(|overlap| overlap["texts"] == 0), "{parts}");
    assert_eq!(fs::read_dir(folder.path().join("parts")).unwrap().count(), 3, "temporary files are left");
}

#[test]
fn plain_text_is_shown_and_split_in_its_order() {
    let folder = folder();
    let text: String = (0..40).map(|line| format!("line {line} é\n")).collect();
    fs::write(folder.path().join("novel.txt"), &text).unwrap();
    let split = ["data", "novel.txt", "-o", "parts/n.txt", "--split", "0.7,0.2,0.1", "--json"];
    let output = tern(folder.path(), &split);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let source = &shown["sources"][0];
    assert_eq!(
        (&source["words"], &source["distinct_words"], &source["vocabulary"]),
        (&120.into(), &42.into(), &4.into())
    );
    assert_eq!((&source["bytes"], &source["lines"]["max"]), (&text.len().into(), &9.into()));
    assert_eq!((source["covered"].as_f64(), &source["encoding"]), (Some(80.0 / 120.0), &"UTF-8".into()));
    let parts = ["train", "valid", "test"]
        .map(|part| fs::read_to_string(folder.path().join(format!("parts/n.{part}.txt"))).unwrap());
    assert_eq!(parts.concat(), text);
    assert!(parts.iter().all(|part| part.ends_with('\n')));
    let lines = parts.map(|part| part.lines().count());
    assert_eq!(
        shown["written"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["lines"].as_u64().unwrap() as usize)
            .collect::<Vec<_>>(),
        lines
    );
    let output = tern(folder.path(), &["data", "novel.txt"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("120 words, 42 distinct\n  66.67 % of the words are in a vocabulary of 4\n"), "{text}");
    for (args, status, expected) in [
        (&["novel.txt", "messages.csv"][..], 2, "1 of 2 sources are plain text"),
        (&["novel.txt", "-o", "n.txt", "--split", "0.5,0.5", "--stratify"], 1, "are for rows with labels"),
    ] {
        let output = tern(folder.path(), &[&["data"][..], args].concat());
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn sequences_of_numbers_are_shown_and_split() {
    let folder = folder();
    let table = "sequence,label,x,y\n1,a,-0.9,0.5\n1,a,0,N/A\n2,b,0.25,1e-3\n";
    fs::write(folder.path().join("m.csv"), table).unwrap();
    let output = tern(folder.path(), &["data", "m.csv", "-o", "h.csv", "--split", "0.5,0.5", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["sources"][0]["rows"], 2);
    assert_eq!(shown["sources"][0]["length"]["unit"], "steps");
    assert_eq!(shown["written"][1]["rows"], 1);
    let output = tern(folder.path(), &["data", "m.csv", "-o", "again.csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = "sequence,label,x,y\n1,a,-0.9,0.5\n1,a,0,NA\n2,b,0.25,0.001\n";
    assert_eq!(fs::read_to_string(folder.path().join("again.csv")).unwrap(), expected);
}

#[test]
fn a_split_that_cannot_be_is_refused() {
    let folder = folder();
    for (args, status, expected) in [
        (&["-o", "x.csv", "--split", "0.8,0.1"][..], 2, "expected two or three shares above 0 that add up to 1"),
        (&["--split", "0.8,0.2"], 2, "--output"),
        (&["-o", "."], 1, ": a directory, expected a name for a file"),
    ] {
        let output = tern(folder.path(), &[&["data", "messages.csv"][..], args].concat());
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn a_state_dict_of_pytorch_becomes_a_model() {
    let folder = folder();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/golden");
    fs::copy(golden.join("plain.safetensors"), folder.path().join("w.safetensors")).unwrap();
    let models: Value = serde_json::from_slice(&fs::read(golden.join("models.json")).unwrap()).unwrap();
    let vocab: Vec<&str> = models["vocab"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    fs::write(folder.path().join("vocab.txt"), vocab.join("\n")).unwrap();
    fs::write(folder.path().join("c.toml"), "name = 'plain'\nlabels = ['a', 'b', 'c']\n").unwrap();
    fs::write(folder.path().join("rows.jsonl"), "{\"text\": \"see you\", \"label\": \"a\"}\n").unwrap();
    let import =
        ["import", "w.safetensors", "--config", "c.toml", "--vocab", "vocab.txt", "-o", "m", "--valid", "rows.jsonl"];
    let output = tern(folder.path(), &import);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("10 tokens, embedding 4, one LSTM layer of 5 cells, 3 labels, "), "{said}");
    let output = tern(folder.path(), &["predict", "m", "--json", models["texts"][0].as_str().unwrap()]);
    let prediction: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (found, expected) in
        prediction["logits"].as_array().unwrap().iter().zip(models["models"][0]["logits"][0].as_array().unwrap())
    {
        assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-5, "{prediction}");
    }
    let output = tern(folder.path(), &["export", "m", "-o", "d.safetensors", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let output = tern(folder.path(), &["eval", "d.safetensors", "--data", "rows.jsonl", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));

    fs::write(folder.path().join("c.toml"), "labels = ['a', 'b']\n").unwrap();
    let output = tern(folder.path(), &import);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("tensor `fc.weight` is [3, 5], expected [2, 5]"), "{}", stderr(&output));
    let output = tern(folder.path(), &["eval", "m", "--data", "rows.jsonl"]);
    assert!(output.status.success(), "the former model is still there: {}", stderr(&output));
}

#[test]
fn a_training_without_baselines_and_with_empty_texts() {
    let folder = folder();
    let mut lines = String::new();
    for index in 0..40 {
        let (text, label) = [("free prize", "1"), ("see you", "0"), ("", "0"), ("  ", "1")][index % 4];
        let text = if text.trim().is_empty() { text.to_owned() } else { format!("{text} {index}") };
        lines += &format!("{{\"text\": \"{text}\", \"label\": {label}}}\n");
    }
    fs::write(folder.path().join("m.jsonl"), lines).unwrap();
    let output =
        tern(folder.path(), &[&["train", "m.jsonl", "-o", "m", "--no-baselines", "--json"][..], &SMALL].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("texts are empty"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("bag of embeddings"), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures.get("baselines").is_none(), "{figures}");
    let output = tern(folder.path(), &["eval", "m", "--data", "m.jsonl", "--json"]);
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(evaluation["examples"], 40);
}

#[test]
fn predict_reads_lines() {
    let folder = folder();
    assert!(train(folder.path(), &[]).status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tern"))
        .current_dir(folder.path())
        .args(["predict", "models/spam"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    child.stdin.take().unwrap().write_all(b"free prize now\r\n\nlunch \xff at the table").unwrap();
    let output = child.wait_with_output().unwrap();
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("spam ") && lines[0].ends_with("free prize now"), "{lines:?}");
    assert!(lines[2].starts_with("ham "), "{lines:?}");
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let folder = folder();
    for (args, expected) in [
        (&["train"][..], "DATA.csv|RECIPE.toml"),
        (&["train", "messages.csv", "--cell", "elman"], "lstm, gru, rnn, rnn_relu"),
        (&["train", "messages.csv", "--num-layers", "5"], "--num-layers is 5, expected 1 to 4"),
        (&["train", "messages.csv", "--merge", "sum"], "--merge is sum, expected concat"),
        (&["train", "messages.csv", "--hidden-size", "0"], "--hidden-size is 0, expected 1 to 4096"),
        (&["train", "messages.csv", "--dropout", "nan"], "--dropout is NaN"),
        (&["train", "messages.csv", "--delimiter", "ab"], "expected one ASCII character"),
        (&["fly"], "unrecognized subcommand"),
    ] {
        let output = tern(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn failed_work_is_status_1() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("bad.toml", "[data]\ntrain = 'messages.csv'\n[model]\ncell = 'elman'\n");
    write("wide.toml", "[data]\ntrain = 'messages.csv'\n[model]\nhidden_size = 0\n");
    write("one.csv", "text,label\nx,a\ny,a\n");
    fs::create_dir(folder.path().join("precious")).unwrap();
    write("precious/file", "");
    for (args, expected) in [
        (&["train", "none.csv"][..], "none.csv"),
        (&["train", "bad.toml"], "bad.toml: line 4: [model] cell is \"elman\", expected lstm, gru"),
        (&["train", "wide.toml"], "wide.toml: line 4: [model] hidden_size is 0"),
        (&["train", "one.csv"], "every label is \"a\""),
        (&["train", "messages.csv", "--label-column", "class"], "line 1 has the columns \"text\", \"label\""),
        (&["train", "messages.csv", "-o", "precious"], "not a Tern model directory"),
        (&["eval", "precious", "--data", "messages.csv"], "expected a model directory"),
        (&["predict", "precious", "x"], "expected a model directory"),
    ] {
        let output = tern(folder.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        let message = stderr(&output);
        assert!(message.starts_with("error: ") && message.contains(expected), "{args:?}: {message}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(fs::read_dir(folder.path().join("precious")).unwrap().count(), 1);
}

#[test]
fn a_stack_that_reads_both_ways_is_trained_and_exported() {
    let folder = folder();
    let network =
        ["--cell", "gru", "--num-layers", "2", "--bidirectional", "--merge", "mean", "--pooling", "mean_max", "--json"];
    let output = train(folder.path(), &network);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 bidirectional GRU layers of 6 cells each way"), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["validation"]["accuracy"].as_f64().unwrap() > 0.9, "{figures}");

    let output = tern(folder.path(), &["eval", "models/spam", "--data", "models/spam/validation.csv", "--json"]);
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(evaluation["accuracy"], figures["validation"]["accuracy"]);
    let output = tern(folder.path(), &["predict", "models/spam", "--json", "--trace", "FREE prize qwerty"]);
    let prediction: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(prediction["trace"][2]["probability"], prediction["probability"]);

    let output = tern(folder.path(), &["export", "models/spam", "-o", "spam.safetensors", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let export: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (float, integer) = (&export["float_accuracy"], &export["integer_accuracy"]);
    assert_eq!(float, &figures["validation"]["accuracy"]);
    assert!((float.as_f64().unwrap() - integer.as_f64().unwrap()).abs() < 0.02, "{export}");
    let output = tern(folder.path(), &["predict", "spam.safetensors", "--json", "FREE prize qwerty"]);
    let integers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(integers["label"], prediction["label"]);
}

#[test]
fn a_failed_training_leaves_nothing_behind() {
    let folder = folder();
    let entries = || -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let before = entries();
    assert_eq!(
        tern(folder.path(), &["train", "messages.csv", "-o", "m", "--text-column", "body"]).status.code(),
        Some(1)
    );
    assert_eq!(entries(), before);
}

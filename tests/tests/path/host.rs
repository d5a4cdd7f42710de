//! The commands of `tern` that run on the host: train, export, eval, predict, inspect.

use std::fs;
use std::path::Path;

use tern_tests::{argument, error_of, folder, json, stdout_of, table, tern, train, trained};

/// Returns the keys of a JSON object.
fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Returns a JSON number.
fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[test]
fn a_model_directory_contains_the_documented_files() {
    let directory = &trained().directory;
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = "README.md calibration.csv config.json export.json log.jsonl metrics.json model.safetensors recipe.toml \
                    report.html tokenizer.json tokenizer_config.json validation.csv";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn the_exported_model_is_as_good_as_the_float_one() {
    let trained = trained();
    let export = &trained.export;
    let documented = "float_accuracy integer_accuracy disagreements file_bytes parts scratch_bytes macs_per_token";
    for key in documented.split(' ') {
        assert!(keys(export).contains(&key), "{key} is missing from {export}");
    }
    let (float, integer) = (number(&export["float_accuracy"]), number(&export["integer_accuracy"]));
    // Five classes of equal size, so chance is 0.2; quantising may cost at most 0.02.
    assert!(float > 0.4, "{export}");
    assert!((float - integer).abs() < 0.02, "{export}");
    assert_eq!(export["file_bytes"], fs::metadata(&trained.file).unwrap().len());
    // The LSTM layer, and the n-gram branch: eight sums for five labels, and the head's input of 32 + 8 numbers.
    assert_eq!(export["scratch_bytes"], 8 * 32 + 2 * 16 + 4 * 8 + 2 * (32 + 8));
    assert_eq!(export["macs_per_token"], 4 * 32 * (16 + 32));

    for (model, accuracy) in [(&trained.directory, float), (&trained.file, integer)] {
        let data = argument(&trained.validation);
        let eval = json(&["eval", argument(model), "--data", data, "--json"]);
        for key in ["examples", "accuracy", "loss", "macro_f1", "per_class"] {
            assert!(keys(&eval).contains(&key), "{key} is missing from {eval}");
        }
        assert_eq!(number(&eval["accuracy"]), accuracy);
        assert_eq!(keys(&eval["per_class"]), ["alarm", "chatter", "request", "spam", "status"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let folder = folder("twice");
    let data = folder.join("messages.csv");
    fs::write(&data, table(300)).unwrap();
    let run = |name: &str, seed: &str, threads: &str| {
        let (directory, file) = (folder.join(name).join("model"), folder.join(name).join("device.safetensors"));
        fs::create_dir_all(folder.join(name)).unwrap();
        let options =
            ["--hidden-size", "12", "--embedding-dim", "8", "--epochs", "2", "--seed", seed, "--threads", threads];
        train(&data, &directory, &options);
        json(&["export", argument(&directory), "-o", argument(&file), "--json"]);
        (fs::read(directory.join("model.safetensors")).unwrap(), fs::read(file).unwrap())
    };
    let first = run("first", "3", "1");
    assert!(first == run("second", "3", "2"), "two runs of one seed differ");
    assert!(first != run("third", "4", "1"), "the seed makes no difference");
}

#[test]
fn float_and_integer_models_print_the_same_keys_of_a_prediction() {
    let trained = trained();
    for model in [&trained.directory, &trained.file] {
        let text = "smoke in the server room, call 555-7905";
        let prediction = json(&["predict", argument(model), "--json", text]);
        for key in ["label", "probability", "logits", "tokens", "unknown"] {
            assert!(keys(&prediction).contains(&key), "{key} is missing from {prediction}");
        }
        assert_eq!(prediction["tokens"], 10);
        assert_eq!(prediction["logits"].as_array().unwrap().len(), 5);
        let traced = stdout_of(tern().args(["predict", argument(model), "--trace", text]));
        assert_eq!(traced.lines().count(), 11, "{traced}");
    }
}

#[test]
fn every_line_of_an_export_fits_80_columns() {
    let folder = folder("narrow");
    fs::create_dir(folder.join("model")).unwrap();
    for entry in fs::read_dir(&trained().directory).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.join("model").join(entry.file_name())).unwrap();
    }
    let stdout = stdout_of(tern().current_dir(&folder).args(["export", "model", "-o", "device.safetensors"]));
    assert!(stdout.lines().count() > 20, "{stdout}");
    for line in stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn inspect_prints_the_parts_of_a_file() {
    let trained = trained();
    let facts = json(&["inspect", argument(&trained.file), "--json"]);
    assert_eq!(facts["file_bytes"], trained.export["file_bytes"]);
    assert_eq!(facts["parts"], trained.export["parts"]);
    assert_eq!(facts["golden"]["passed"], facts["golden"]["total"]);
    assert_eq!(facts["metadata"]["tern.cell"], "lstm");
}

#[test]
fn errors_have_the_documented_status_and_name_the_culprit() {
    let file = argument(&trained().file);
    let missing = argument(Path::new("target/path-tests/no-such-thing"));
    for arguments in [&["fly"][..], &["train"], &["eval", file], &["classify", file, "--data", "x.csv"]] {
        error_of(tern().args(arguments), 2);
    }
    let cases: [(&[&str], &str); 5] = [
        (&["train", "no-such.csv", "-o", missing], "no-such.csv"),
        (&["eval", missing, "--data", file, "--json"], "no-such-thing"),
        (&["inspect", "LICENSE-MIT", "--json"], "LICENSE-MIT: header, byte 0"),
        (&["eval", file, "--data", "Cargo.toml", "--json"], "Cargo.toml"),
        (&["console", "--qemu", "--firmware", "no-such.elf", file], "no-such.elf"),
    ];
    for (arguments, culprit) in cases {
        let message = error_of(tern().args(arguments), 1);
        assert!(message.contains(culprit), "tern {arguments:?}: {message}");
    }
    assert!(!Path::new(missing).exists(), "a failed training left something behind");
}

#[test]
fn a_damaged_file_is_refused_and_nothing_is_overwritten() {
    let trained = trained();
    let folder = folder("damaged");
    let mut bytes = fs::read(&trained.file).unwrap();
    bytes.truncate(bytes.len() - 1);
    let path = folder.join("short.safetensors");
    fs::write(&path, &bytes).unwrap();
    let message = error_of(tern().args(["predict", argument(&path), "hello"]), 1);
    assert!(message.contains("short.safetensors: the file ends after"), "{message}");

    // An export that fails does not change the existing file.
    let model = folder.join("model");
    fs::create_dir(&model).unwrap();
    error_of(tern().args(["export", argument(&model), "-o", argument(&path)]), 1);
    assert!(fs::read(&path).unwrap() == bytes);
}

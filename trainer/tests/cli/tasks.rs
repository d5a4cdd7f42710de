//! Every task from its data to predictions on the device file: sequences of numbers, language models, forecasts.

use crate::folder::{Folder, number, parse};
use serde_json::Value;
use std::fmt::Write;

/// Ramps that rise or fall on one channel, a constant on another.
fn ramps() -> String {
    let mut table = "sequence,label,level,offset\n".to_owned();
    for sequence in 0..60 {
        let (label, slope) = [("up", 0.5), ("down", -0.5)][sequence % 2];
        for step in 0..3 + sequence % 5 {
            let level = slope * step as f64 + 100.0 + (sequence % 7) as f64;
            let offset = if step == 1 { "NA" } else { "7" };
            writeln!(table, "s{sequence},{label},{level},{offset}").unwrap();
        }
    }
    table
}

#[test]
fn balanced_class_weights_choose_the_epoch_of_sequences_by_macro_f1() {
    let folder = Folder::new();
    let table = ramps();
    // One falling ramp in four is kept, so that always predicting `up` is right for most sequences.
    let kept = |line: &&str| {
        let name = line.split(',').next().and_then(|name| name.strip_prefix('s')?.parse::<usize>().ok());
        name.is_none_or(|number| number % 2 == 0 || number % 8 == 1)
    };
    folder.write("rare.csv", table.lines().filter(kept).map(|line| format!("{line}\n")).collect::<String>());
    let options = "--epochs 12 --learning-rate 0.003 --threads 1 --valid-fraction 0.3 --class-weights balanced";
    let figures = folder.json(&format!("train rare.csv --input values -o m --json {options}"));
    let macro_f1 = |epoch: &Value| number(epoch, "valid_macro_f1");
    let history = figures["history"].as_array().unwrap();
    let best = history.iter().map(macro_f1).fold(f64::NEG_INFINITY, f64::max);
    let chosen = figures["best_epoch"].as_u64().unwrap() as usize;
    assert_eq!(macro_f1(&history[chosen - 1]), best, "{figures}");
    assert!(history.iter().any(|epoch| macro_f1(epoch) < best), "{figures}");
}

#[test]
fn sequences_of_numbers_are_classified() {
    let folder = Folder::new();
    folder.write("ramps.csv", ramps());
    let options = "--cell gru --epochs 40 --learning-rate 0.02 --threads 1 --valid-fraction 0.1";
    let figures = folder.json(&format!("train ramps.csv --input values -o m --json {options}"));
    assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");
    let config = parse(&folder.text("m/config.json"));
    assert_eq!((&config["input"], &config["channels"][0]["name"]), (&"values".into(), &"level".into()));
    assert_eq!(config["channels"][1]["std"], 1.0);
    assert!(!folder.path("m/tokenizer.json").exists());

    let evaluation = folder.json("eval m --data m/validation.csv --json");
    for key in ["examples", "accuracy", "loss", "macro_f1"] {
        assert_eq!(evaluation[key], figures["validation"][key], "{key}");
    }
    folder.write("new.csv", "sequence,level,offset\nx,100,7\nx,101,7\nx,102,7\ny,104,7\ny,102.5,7\n");
    let predict = |model: &str| -> Vec<Value> {
        folder.run(&format!("predict {model} new.csv --json")).stdout.lines().map(parse).collect()
    };
    let predicted = predict("m");
    for (found, (name, label, steps)) in predicted.iter().zip([("x", "up", 3), ("y", "down", 2)]) {
        let expected = (&name.into(), &label.into(), &steps.into());
        assert_eq!((&found["sequence"], &found["label"], &found["steps"]), expected);
    }

    // The same recipe gives the same bytes.
    folder.run("train m/recipe.toml -o again/m --threads 2");
    for file in ["model.safetensors", "config.json", "metrics.json"] {
        assert!(folder.bytes(&format!("m/{file}")) == folder.bytes(&format!("again/m/{file}")), "{file}");
    }
    let export = folder.json("export m -o m.safetensors --json");
    assert!((number(&export, "integer_accuracy") - number(&evaluation, "accuracy")).abs() < 0.1, "{export}");
    assert_eq!((&export["float_accuracy"], &export["task"]), (&evaluation["accuracy"], &"classify".into()));
    let integer = folder.json("eval m.safetensors --data m/validation.csv --json");
    assert_eq!(integer["accuracy"], export["integer_accuracy"]);
    let table = folder.text("new.csv");
    folder.write("semicolons.txt", table.replace(',', ";"));
    let of_layout = folder.run("predict m semicolons.txt --json --delimiter ;").stdout;
    assert_eq!(of_layout, folder.run("predict m new.csv --json").stdout);
    let predicted_in_integers = predict("m.safetensors");
    assert_eq!((predicted.len(), predicted_in_integers.len()), (2, 2));
    for (float, integer) in predicted.iter().zip(&predicted_in_integers) {
        assert_eq!((&float["label"], &float["steps"]), (&integer["label"], &integer["steps"]));
        // Integer logits are in Q16.
        let integer_logit = integer["logits"][0].as_i64().unwrap() as f64 / 65_536.0;
        assert!((float["logits"][0].as_f64().unwrap() - integer_logit).abs() < 0.05, "{float} {integer}");
    }
    let golden = folder.json("inspect m.safetensors --json")["golden"].clone();
    assert!(golden["total"].as_u64().unwrap() >= 2 && golden["passed"] == golden["total"], "{golden}");

    for (table, expected) in [
        ("sequence,label,a\nx,up,1\nx,down,2\n", "line 3: sequence \"x\" has label \"down\", expected \"up\""),
        ("sequence,label,a\nx,up,1\ny,up,2\nx,up,3\n", "line 4: sequence \"x\" continues after another one"),
        ("sequence,label,a\nx,up,1\ny,up,2\n", "every label is \"up\""),
        ("label,a\nup,1\n", "no column \"sequence\""),
        ("sequence,label,a\nx,up,one\n", "no column of numbers: \"a\": text such as \"one\" in line 2"),
    ] {
        folder.write("bad.csv", table);
        folder.fails("train bad.csv --input values -o bad", 1, expected);
    }
    folder.fails("predict m", 1, "name a table");
}

#[test]
fn a_language_model_says_what_comes_next_and_writes() {
    let folder = Folder::new();
    let sentence = |index: usize| {
        let (animal, drink) = [("cat", "milk"), ("dog", "water"), ("bird", "rain")][index * 7 % 3];
        format!("the {animal} drinks {drink} .\n")
    };
    folder.write("text.txt", (0..300).map(sentence).collect::<String>());
    let options = "--embedding-dim 8 --hidden-size 16 --window 16 --epochs 40 --learning-rate 0.02 --threads 1";
    let figures = folder.json(&format!("train text.txt -o m --json {options}"));
    // The animals take turns. A model without memory of the sentence before guesses one animal of three in six tokens.
    let bound = 3f64.ln() / 6.0;
    let loss = number(&figures["validation"], "loss");
    assert!(loss < bound, "{loss}, without memory {bound}");
    assert!(figures["history"][0]["valid_bits_per_character"].is_number());

    let evaluation = folder.json("eval m --data m/validation.txt --json");
    assert_eq!(evaluation, figures["validation"]);
    folder.fails("predict m qwerty --no-header", 2, "m reads texts; leave them out");
    let next = folder.json("predict m --json --top 2 'the dog drinks'");
    assert_eq!((&next["next"][0]["token"], &next["tokens"]), (&"water".into(), &3.into()));
    assert_eq!(next["next"].as_array().unwrap().len(), 2);
    assert!(folder.run("predict m qwerty").stdout.starts_with("unknown input"));

    let generate = |model: &str| {
        let line = format!("generate {model} --prompt 'the bird' --length 12 --seed 1");
        let text = folder.run(&line).stdout;
        assert_eq!(folder.run(&line).stdout, text);
        text
    };
    let text = generate("m");
    assert!(text.starts_with("the bird drinks rain. the "), "{text}");
    assert_eq!(folder.json("generate m --temperature 0 --length 5 --json")["tokens"], 5);
    folder.fails("generate m --prompt qwerty", 1, "unknown input");
    folder.fails("generate m --temperature -1", 2, "--temperature is -1, expected 0 or more");

    let export = folder.json("export m -o m.safetensors --json");
    assert!((number(&export, "float_loss") - number(&evaluation, "loss")).abs() < 1e-4, "{export}");
    assert!((number(&export, "integer_loss") - number(&export, "float_loss")).abs() < 0.02, "{export}");
    assert!(number(&export, "top_token_agreement") > 0.95, "{export}");
    let integer = folder.json("eval m.safetensors --data m/validation.txt --json");
    for (key, exported) in [("loss", "integer_loss"), ("perplexity", "integer_perplexity")] {
        assert!((number(&integer, key) - number(&export, exported)).abs() < 1e-6, "{integer} {export}");
    }
    for key in ["tokens", "unknown", "characters"] {
        assert_eq!(integer[key], evaluation[key], "{key}");
    }
    let next = folder.json("predict m.safetensors --json --top 2 'the dog drinks'");
    assert_eq!(next["next"][0]["token"], "water");
    let text = generate("m.safetensors");
    assert!(text.starts_with("the bird drinks "), "{text}");
    let [float, integer] = ["m", "m.safetensors"].map(|model| {
        folder.json(&format!("generate {model} --prompt 'the dog' --temperature 0 --length 5 --json"))["text"].clone()
    });
    assert_eq!(float, integer, "the most probable token is the same in either arithmetic");

    folder.write("short.txt", "a few words\n");
    folder.fails("train short.txt -o bad", 1, "use --tokenizer chars or bytes");
    folder.write("latin.txt", b"caf\xe9");
    folder.fails("train latin.txt -o bad", 1, "is not UTF-8");
    folder.fails("train text.txt --bidirectional -o bad", 2, "it would read the token that it predicts");
}

/// A season of six months on a rising line, and a channel without information.
fn months() -> String {
    let mut table = "month,sales,noise\n".to_owned();
    for month in 0..240 {
        let season = [0.0, 5.0, 9.0, 4.0, -3.0, -8.0][month % 6];
        let sales = if month == 100 { "NA".to_owned() } else { format!("{}", 50.0 + 0.2 * month as f64 + season) };
        writeln!(table, "m{month},{sales},{}", month * 37 % 11).unwrap();
    }
    table
}

#[test]
fn a_series_is_forecast_better_than_naively() {
    let folder = Folder::new();
    folder.write("months.csv", months());
    let task = "--task forecast --window 12 --horizon 3 --season 6 --valid-fraction 0.2";
    let options = "--cell gru --hidden-size 16 --learning-rate 0.02 --epochs 60 --threads 1";
    let figures = folder.json(&format!("train months.csv {task} -o m --json {options}"));
    let validation = &figures["validation"];
    assert_eq!((&validation["examples"], &validation["numbers"]), (&46.into(), &138.into()));
    // The line rises by 1.2 in a season, which is the error of a forecast that repeats the season before.
    assert!((number(validation, "seasonal_naive_rmse") - 1.2).abs() < 1e-3, "{validation}");
    assert!(number(validation, "rmse") < 1.2, "{validation}");
    assert!(number(validation, "rmse_to_naive") < 0.2, "{validation}");

    assert_eq!(folder.json("eval m --data m/validation.csv --json"), *validation);
    let forecast = folder.json("predict m months.csv --json");
    assert_eq!((&forecast["rows"], forecast["forecast"].as_array().unwrap().len()), (&240.into(), 3));
    let next = number(&forecast["forecast"][0], "sales");
    assert!((next - 98.0).abs() < 4.0, "{next}, expected about 98");
    assert_eq!(folder.run("predict m months.csv").stdout.lines().next(), Some("step,sales"));
    folder.write("tabs.txt", folder.text("months.csv").replace(',', "\t"));
    assert_eq!(folder.json("predict m tabs.txt --json --delimiter tab"), forecast);

    let export = folder.json("export m -o m.safetensors --json");
    assert!((number(&export, "float_rmse") - number(validation, "rmse")).abs() < 1e-9, "{export}");
    assert!((number(&export, "integer_rmse") / number(&export, "float_rmse") - 1.0).abs() < 0.05, "{export}");
    let integer = folder.json("eval m.safetensors --data m/validation.csv --json");
    assert!((number(&integer, "rmse") / number(&export, "integer_rmse") - 1.0).abs() < 0.05, "{integer} {export}");
    let forecast = folder.json("predict m.safetensors months.csv --json");
    assert_eq!(forecast["forecast"].as_array().unwrap().len(), 3);
    let difference = number(&forecast["forecast"][0], "sales") - next;
    assert!(difference.abs() < 0.2, "floats and integers differ by {difference}");
    folder.fails("export m -o m.safetensors --golden months.csv", 1, "reads numbers");
    for (options, expected) in [
        ("--targets profit", "no column \"profit\""),
        ("--columns month", "line 2: \"m0\" in column \"month\" is not a number"),
        ("--window 300", "expected 301 or more"),
    ] {
        folder.fails(&format!("train months.csv --task forecast -o bad {options}"), 1, expected);
    }
    folder.write("three.csv", "sales,noise\n1,2\n3,4\n5,6\n");
    folder.fails("predict m three.csv", 1, "3 rows, expected 12 or more");
}

/// A cross-validated model was trained on all rows: figures of those rows come only from its folds.
#[test]
fn the_report_of_a_cross_validated_model_keeps_the_figures_of_its_training() {
    let folder = Folder::new();
    folder.write("ramps.csv", ramps());
    // Labels that no network can predict: an accuracy on training rows would be far from that of the folds.
    let text = |row: usize| format!("w{} v{row} x{},{}\n", row % 7, row * row % 11, ["a", "b"][row * 7 % 13 % 2]);
    folder.write("texts.csv", format!("text,label\n{}", (0..60).map(text).collect::<String>()));
    for (data, more) in [("texts.csv", "--no-baselines"), ("ramps.csv", "--input values")] {
        let options = "--epochs 8 --learning-rate 0.03 --threads 1 --folds 3";
        let figures = folder.json(&format!("train {data} -o m --json {options} {more}"));
        assert!(!folder.path("m/validation.csv").exists(), "{data}");
        let predictions: Vec<Value> = folder.text("m/cross_validation.jsonl").lines().map(parse).collect();
        let correct = predictions.iter().filter(|row| row["label"] == row["predicted"]).count();
        let validation = &figures["validation"];
        assert_eq!((predictions.len(), &validation["folds"]), (60, &3.into()));
        assert_eq!(correct as f64 / 60.0, number(validation, "accuracy"), "{data}");

        let page = folder.text("m/report.html");
        folder.run("report m");
        assert!(page == folder.text("m/report.html"), "{data}: the report made again differs");
        // The figures follow from the predictions alone.
        let metrics = folder.text("m/metrics.json");
        std::fs::remove_file(folder.path("m/metrics.json")).unwrap();
        folder.run("report m -o again.html");
        let exact = format!("value=\"{}\" data-at=\"/validation/accuracy\"", validation["accuracy"]);
        assert!(page.contains(&exact) && folder.text("again.html").contains(&exact), "{data}: {exact}");
        folder.write("m/metrics.json", metrics);

        let export = folder.json("export m -o m.safetensors --json");
        assert_eq!((&export["examples"], &export["on_training_rows"]), (&60.into(), &true.into()), "{data}");
        let printed = folder.run("export m -o m.safetensors").stdout;
        assert!(printed.contains("on 60 training") && !printed.contains("validation"), "{printed}");
        let (page, card) = (folder.text("m/report.html"), folder.text("m/README.md"));
        let compared = "of <data value=\"60\" data-at=\"/export/examples\">60</data> training";
        assert!(page.contains(&exact) && page.contains(compared), "{data}");
        assert!(!page.contains("accuracy in integers</dt>") && !card.contains("Accuracy in integers"));
        let compared = "on training rows, where figures are better than on new data";
        assert!(card.contains(compared) && !card.contains("validation.csv"), "{card}");
        let export = folder.json(&format!("export m -o m.safetensors --data {data} --json"));
        assert_eq!((&export["examples"], &export["on_training_rows"]), (&60.into(), &Value::Null), "{data}");
        folder.write("m/cross_validation.jsonl", "{\"example\": 1}\n");
        folder.fails("report m", 1, "cross_validation.jsonl: line 1: ");
    }
}

/// Twelve recordings of 100 rows that swing slowly or fast, 40 rows a second.
fn swings() -> String {
    let mut table = "sequence,label,level\n".to_owned();
    for recording in 0..12 {
        let (label, speed) = [("slow", 0.15), ("fast", 0.6)][recording % 2];
        for step in 0..100 {
            let level = (speed * (step + recording) as f64).sin() + 0.05 * (step * 7 % 5) as f64;
            writeln!(table, "r{recording},{label},{level:.3}").unwrap();
        }
    }
    table
}

#[test]
fn windows_of_recordings_are_classified() {
    let folder = Folder::new();
    folder.write("swings.csv", swings());
    let windows = "--window 20 --overlap 0.5 --sample-rate 40 --resample 20";
    let options =
        "--cell gru --hidden-size 12 --epochs 20 --learning-rate 0.02 --threads 1 --jitter 0.05 --scaling 0.1";
    let printed =
        folder.run(&format!("train swings.csv --input values -o m --json --valid-fraction 0.2 {windows} {options}"));
    let figures = parse(&printed.stdout);
    // At 20 rows a second a recording has 50 rows: windows from the rows 0, 10, 20 and 30.
    assert_eq!((number(&figures, "train_examples"), number(&figures["validation"], "examples")), (40.0, 8.0));
    assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");
    assert!(printed.stderr.contains("a window of 20 rows"), "{}", printed.stderr);
    // All windows of a recording are on the same side of the split.
    let names = |file: &str| {
        let text = folder.text(file);
        let recordings = text.lines().skip(1).map(|line| line.split('#').next().unwrap().to_owned());
        recordings.collect::<std::collections::BTreeSet<_>>()
    };
    let (train, valid) = (names("m/calibration.csv"), names("m/validation.csv"));
    assert!(valid.len() == 2 && train.len() == 10 && train.is_disjoint(&valid), "{train:?} {valid:?}");

    // `tern data` cuts another table in the same way.
    folder.run(&format!("data swings.csv -o windows.csv {windows}"));
    let evaluation = folder.json("eval m --data windows.csv --json");
    assert_eq!(number(&evaluation, "examples"), 48.0);
    assert!(number(&evaluation, "accuracy") > 0.9, "{evaluation}");
    folder.run("export m -o m.safetensors --json");
    assert!(number(&folder.json("eval m.safetensors --data windows.csv --json"), "accuracy") > 0.9);
    // The saved recipe makes the same model again.
    folder.run("train m/recipe.toml -o again --threads 1");
    assert!(folder.bytes("m/model.safetensors") == folder.bytes("again/model.safetensors"));
    // The windows of a recording are in one fold.
    let options = options.replace("--epochs 20", "--epochs 1");
    folder.run(&format!("train swings.csv --input values -o f --folds 3 {windows} {options}"));
    let folds = folder.text("f/cross_validation.jsonl");
    let mut fold_of = std::collections::BTreeMap::new();
    for row in folds.lines().map(parse) {
        let recording = row["example"].as_str().unwrap().split('#').next().unwrap().to_owned();
        assert_eq!(*fold_of.entry(recording).or_insert(row["fold"].clone()), row["fold"], "{folds}");
    }
    assert_eq!(fold_of.len(), 12);
}

#[test]
fn settings_of_windows_that_do_not_fit_are_refused() {
    let folder = Folder::with_messages();
    folder.write("swings.csv", swings());
    for (line, expected) in [
        (
            "train messages.csv --window 5",
            "--window is 5, expected 0 where task is not classify or input is not values",
        ),
        ("train messages.csv --jitter 0.1", "--jitter is 0.1, expected 0"),
        ("train swings.csv --input values --overlap 0.5", "--overlap is 0.5, expected 0 where window is 0"),
        ("train swings.csv --input values --resample 50", "--sample-rate is 0, expected the rows per second"),
        ("train swings.csv --input values --sample-rate 50", "--sample-rate is 50, expected 0 where resample is 0"),
        ("data swings.csv -o x.csv --window 9 --overlap 1", "--overlap is 1, expected 0 to 0.95"),
        ("data swings.csv -o x.csv --sample-rate 0 --resample 9", "--sample-rate is 0, expected more than 0"),
        ("data messages.csv -o x.csv --window 9", "--window and --resample are for tables of sequences"),
    ] {
        folder.fails(line, 2, expected);
    }
}

//! `tern fit`: the budget, the same answer for one seed, interrupts, and small data.

use crate::folder::{Folder, number, parse, stderr};
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A quick search of few candidates.
const QUICK: &str = "--flash 12KB --trials 5 --epochs 4 --learning-rate 0.02 --threads 1 --json";

/// A folder with 360 texts of three classes, and 60 sequences of two.
fn folder_with_data() -> Folder {
    let folder = Folder::new();
    let (mut texts, mut ramps) = ("text,label\n".to_owned(), "sequence,label,level\n".to_owned());
    for index in 0..360 {
        let (text, label) = match index % 3 {
            0 => (format!("turn on the lamp in room {index}"), "light"),
            1 => (format!("is it warm outside at {index}"), "weather"),
            _ => (format!("wake me up at {index} please"), "alarm"),
        };
        writeln!(texts, "{text},{label}").unwrap();
    }
    for index in 0..480 {
        let (label, slope) = [("up", 1), ("down", -1)][index / 8 % 2];
        writeln!(ramps, "s{},{label},{}", index / 8, (index / 19) as i64 + slope * (index % 8) as i64).unwrap();
    }
    folder.write("intents.csv", texts);
    folder.write("ramps.csv", ramps);
    folder
}

/// Compares the models `home` of two searches.
fn assert_same(found: &Folder, expected: &Folder) {
    assert_eq!(found.names("home"), expected.names("home"));
    let files = expected.names("home").into_iter().map(|name| format!("home/{name}"));
    for name in files.chain(["home.safetensors".to_owned()]) {
        assert!(found.bytes(&name) == expected.bytes(&name), "{name} differs");
    }
}

#[test]
fn the_device_file_fits_and_has_the_printed_figures() {
    let folder = folder_with_data();
    let figures = folder.json(&format!("fit intents.csv -o home {QUICK}"));
    let bytes = folder.bytes("home.safetensors").len();
    assert!(bytes <= 12 * 1024, "{bytes}");
    assert_eq!(figures["file_bytes"], bytes, "{figures}");
    assert_eq!(figures["in_integers"], true);
    assert_eq!(figures["candidates"], 5);
    assert!(number(&figures, "accuracy") > 0.9, "{figures}");
    assert!(number(&figures, "seconds") > 0.0 && number(&figures, "instructions_per_token") > 0.0);
    let evaluation = folder.json("eval home.safetensors --data home/validation.csv --json");
    assert_eq!(evaluation["accuracy"], figures["accuracy"]);
    let inspected = folder.json("inspect home.safetensors --json");
    assert_eq!(inspected["scratch_bytes"], figures["scratch_bytes"]);
    // A training set of three sizes, and a judgement of the last step.
    let rows: Vec<f64> =
        figures["learning_curve"].as_array().unwrap().iter().map(|point| number(point, "rows")).collect();
    assert!(rows.len() == 3 && rows[0] * 2.0 < rows[2] && rows.is_sorted(), "{figures}");
    assert!(figures["verdict"].to_string().contains("a linear model on n-grams"), "{figures}");

    let report = folder.text("home/report.html");
    for part in ["id=\"search\"", "Accuracy against bytes of the file", "Accuracy by number of training rows"] {
        assert!(report.contains(part), "{part} is missing in the report");
    }
    assert_eq!(folder.names("."), ["home", "home.safetensors", "intents.csv", "ramps.csv"]);
    // The recipe of the winner makes the same weights.
    folder.run("train home/recipe.toml -o again");
    assert!(folder.bytes("home/model.safetensors") == folder.bytes("again/model.safetensors"));
}

#[test]
fn one_seed_gives_one_answer_even_after_a_kill() {
    let (whole, folder) = (folder_with_data(), folder_with_data());
    whole.run(&format!("fit intents.csv -o home {QUICK}"));
    let line = format!("fit intents.csv -o home {QUICK} --resume");
    for trials in [1, 4] {
        let mut child = folder.tern(&line).stdout(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_trial = |line: &String| line.contains("left)");
        assert!(lines.map(Result::unwrap).filter(is_trial).take(trials).count() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let printed = folder.run(&line);
    assert!(printed.stderr.contains("resumed after "), "{}", printed.stderr);
    assert_same(&folder, &whole);
    let message = "an interrupted search with other settings or other data";
    folder.write("home.fit.jsonl", "{\"seed\":1}\n");
    folder.fails(&format!("fit intents.csv -o home {QUICK} --resume"), 1, message);
}

#[cfg(unix)]
#[test]
fn the_first_signal_takes_the_best_candidate_so_far() {
    let folder = folder_with_data();
    let interrupt = |options: &str, after: &str| {
        let line = format!("fit intents.csv -o home --flash 12KB --threads 1 {options}");
        let mut child = folder.tern(&line).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(after)), "{after} is missing");
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let rest: Vec<String> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
        assert!(rest.iter().any(|line| line.contains("continue the search with --resume")), "{rest:?}");
        folder.run("predict home.safetensors 'turn on the lamp'");
        folder.run("predict home 'turn on the lamp'");
    };
    interrupt("", "left)");
    // The best trial is one of the earlier process. It is trained again, for all of its epochs.
    interrupt("--resume", "left)");
    let epochs = folder.text("home/log.jsonl").lines().count();
    assert!(epochs > 1, "{epochs}");
    // Without --resume a warning is printed, and the search starts anew.
    let log = folder.run("fit intents.csv -o home --flash 12KB --threads 1 --trials 1 --epochs 1").stderr;
    assert!(log.contains("warning: home.fit.jsonl: deleted an interrupted search and started anew"), "{log}");
    let log = folder.run("fit intents.csv -o home --flash 12KB --threads 1 --trials 1 --epochs 1 --resume").stderr;
    assert!(log.contains("nothing to resume: home.fit.jsonl has no finished trial; starting"), "{log}");
}

#[test]
fn a_budget_that_nothing_fits_is_an_error_with_the_least_one() {
    let folder = folder_with_data();
    let message = folder.fails("fit intents.csv -o home --flash 1KB --trials 3", 1, "no candidate fits");
    assert!(message.contains("the smallest needs"), "{message}");
    let few = "fit intents.csv -o home --flash 12KB --max-instructions 1 --trials 3 --epochs 4";
    folder.fails(few, 1, "a token takes ");
    assert_eq!(folder.names("."), ["intents.csv", "ramps.csv"]);
    folder.fails("fit intents.csv -o home --flash 12KB --time 5", 2, "expected a time such as");
    folder.fails("fit intents.csv -o home --flash 12KB --task forecast", 2, "expected classify");
}

#[test]
fn the_verdict_compares_an_ngram_branch_alone_only_with_recurrent_layers() {
    let folder = folder_with_data();
    let verdict =
        |options: &str| folder.json(&format!("fit intents.csv -o home {QUICK} {options}"))["verdict"].to_string();
    let found = verdict("");
    assert!(found.contains("an n-gram branch alone"), "{found}");
    let found = verdict("--num-layers 0");
    assert!(found.contains("linear model") && !found.contains("an n-gram branch alone"), "{found}");
}

#[test]
fn few_sequences_are_cross_validated() {
    let folder = folder_with_data();
    let figures =
        folder.json("fit ramps.csv --input values -o ramps --flash 8KB --trials 3 --epochs 6 --threads 1 --json");
    assert_eq!((&figures["folds"], &figures["in_integers"]), (&5.into(), &true.into()));
    let accuracy = number(&figures, "accuracy");
    assert!(accuracy > 0.9, "{figures}");
    let repetitions: Vec<f64> =
        figures["repetitions"].as_array().unwrap().iter().map(|accuracy| accuracy.as_f64().unwrap()).collect();
    assert_eq!(repetitions.len(), 3, "{figures}");
    assert!((repetitions.iter().sum::<f64>() / 3.0 - accuracy).abs() < 1e-9, "{figures}");
    let [least, most] = [0, 1].map(|end| figures["interval"][end].as_f64().unwrap());
    assert!(least < accuracy && accuracy <= most && most - least < 0.2, "{figures}");
    let verdict = figures["verdict"].to_string();
    assert!(verdict.contains("60 rows are few; on new data the accuracy may be anywhere from"), "{verdict}");
    assert!(folder.bytes("ramps.safetensors").len() <= 8 * 1024);
    folder.run("predict ramps.safetensors ramps.csv");
}

#[test]
fn the_time_limit_ends_a_search_with_a_model() {
    let folder = folder_with_data();
    let output = folder.tern("fit intents.csv -o home --flash 12KB --trials 200 --time 2s --json").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let figures = parse(&String::from_utf8(output.stdout).unwrap());
    assert!(
        number(&figures, "trials") < 200.0 && figures["learning_curve"].as_array().unwrap().is_empty(),
        "{figures}"
    );
    folder.run("predict home.safetensors 'turn on the lamp'");
}

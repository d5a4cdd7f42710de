//! Classifiers that are trained on the probabilities of other classifiers.

use crate::folder::{Folder, number};
use std::fmt::Write;

const OPTIONS: &str = "--hidden-size 6 --epochs 8 --learning-rate 0.02 --threads 1 --json";
const TEXT_OPTIONS: &str = "--valid valid.csv --embedding-dim 4 --no-baselines";

/// Writes `train.csv` and `valid.csv`, texts of two labels, and `wrong.csv`: the training texts with the other label.
fn write_texts(folder: &Folder) {
    let [mut train, mut valid, mut wrong] = ["text,label\n"; 3].map(str::to_owned);
    for index in 0..120 {
        let (text, label, other) = match index % 2 {
            0 => (format!("win a free prize now, offer {index}"), "spam", "ham"),
            _ => (format!("see you at lunch, table {index}"), "ham", "spam"),
        };
        let table = if index < 80 { &mut train } else { &mut valid };
        writeln!(table, "\"{text}\",{label}").unwrap();
        if index < 80 {
            writeln!(wrong, "\"{text}\",{other}").unwrap();
        }
    }
    folder.write("train.csv", train);
    folder.write("valid.csv", valid);
    folder.write("wrong.csv", wrong);
}

#[test]
fn a_classifier_of_texts_learns_from_its_teachers() {
    let folder = Folder::new();
    write_texts(&folder);
    folder.run(&format!("train train.csv -o a {TEXT_OPTIONS} {OPTIONS}"));
    folder.run(&format!("train train.csv -o b {TEXT_OPTIONS} {OPTIONS} --seed 2"));
    folder.run("export b -o b.safetensors");
    let accuracy = |more: &str| {
        let figures = folder.json(&format!("train wrong.csv -o student {TEXT_OPTIONS} {OPTIONS} {more}"));
        number(&figures["validation"], "accuracy")
    };
    assert!(accuracy("") < 0.1);
    assert!(accuracy("--teachers a,b.safetensors --teacher-weight 1") > 0.9);

    // The recipe that the model directory keeps names the teachers relative to itself, and gives the same bytes.
    let recipe = folder.text("student/recipe.toml");
    assert!(recipe.contains("teachers = [\"../a\", \"../b.safetensors\"]"), "{recipe}");
    folder.run("train student/recipe.toml -o again --no-baselines");
    assert!(folder.bytes("student/model.safetensors") == folder.bytes("again/model.safetensors"));
}

#[test]
fn a_classifier_of_sequences_learns_from_its_teachers() {
    let folder = Folder::new();
    let [mut train, mut wrong] = ["sequence,label,level\n"; 2].map(str::to_owned);
    for sequence in 0..60 {
        for step in 0..4 {
            let (label, other) = if sequence % 2 == 0 { ("up", "down") } else { ("down", "up") };
            let level = 900 + sequence + 50 * (1 - 2 * (sequence % 2)) * step;
            writeln!(train, "s{sequence},{label},{level}").unwrap();
            writeln!(wrong, "s{sequence},{other},{level}").unwrap();
        }
    }
    folder.write("train.csv", train);
    folder.write("wrong.csv", wrong);
    let options = format!("--input values --cell gru {OPTIONS}");
    folder.run(&format!("train train.csv -o teacher {options} --valid train.csv"));
    let accuracy = |more: &str| {
        let figures = folder.json(&format!("train wrong.csv -o student {options} --valid train.csv {more}"));
        number(&figures["validation"], "accuracy")
    };
    assert!(accuracy("") < 0.1);
    assert!(accuracy("--teachers teacher --teacher-weight 1") > 0.9);
    folder.fails(
        &format!("train wrong.csv -o student {options} --teachers teacher"),
        1,
        "[training] teachers cannot be used with a cross-validation",
    );
}

#[test]
fn teachers_that_may_know_the_validation_rows_are_named() {
    let folder = Folder::with_messages();
    let options = format!("--valid-fraction 0.2 --embedding-dim 4 --no-baselines {OPTIONS}");
    folder.run(&format!("train messages.csv -o a {options} --seed 2 --split-seed 1"));
    folder.run(&format!("train messages.csv -o b {options} --seed 2"));
    let warnings = |teachers: &str| {
        let printed = folder.run(&format!("train messages.csv -o student {options} --teachers {teachers}"));
        printed.stderr.matches("no recipe shows that").count()
    };
    assert_eq!((warnings("a"), warnings("b"), warnings("a,b")), (0, 1, 1));
    folder.run("export a -o a.safetensors");
    assert_eq!(warnings("a.safetensors"), 1);
    // The same split: the validation rows of two seeds are equal.
    folder.run(&format!("train messages.csv -o c {options} --seed 1"));
    assert!(folder.bytes("a/validation.csv") == folder.bytes("c/validation.csv"));
    assert!(folder.bytes("b/validation.csv") != folder.bytes("c/validation.csv"));
}

#[test]
fn teachers_that_do_not_fit_are_errors() {
    let folder = Folder::with_messages();
    write_texts(&folder);
    folder.run(&format!("train train.csv -o teacher {TEXT_OPTIONS} {OPTIONS}"));
    folder.write("three.csv", folder.text("train.csv") + "a third text,third\nanother third text,third\n");
    folder.write("novel.txt", crate::folder::novel(40));
    folder.write("ramps.csv", "sequence,label,level\na,up,1\na,up,2\nb,down,2\nb,down,1\n");
    for (arguments, status, expected) in [
        ("three.csv --valid valid.csv --teachers teacher", 1, "teacher: has no label \"third\""),
        ("train.csv --valid valid.csv --teachers missing", 1, "missing: no config.json here"),
        ("novel.txt --teachers teacher", 2, "--teachers is a list, expected nothing where task is not classify"),
        (
            "ramps.csv --input values --valid ramps.csv --teachers teacher",
            1,
            "teacher: is not a classifier of sequences",
        ),
        (
            "train.csv --valid valid.csv --teachers teacher --teacher-weight 2",
            2,
            "--teacher-weight is 2, expected 0 to 1",
        ),
    ] {
        folder.fails(&format!("train {arguments} -o student"), status, expected);
    }
}

//! Trains every recipe of `models/lessons` for one epoch.

use super::{stderr, tern};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lessons")
}

/// Trains a lesson for one epoch and returns the output of `tern train --json`.
fn one_epoch(recipe: &Path, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe.to_str().unwrap();
    let options = ["train", recipe, "-o", "m", "--json", "--epochs", "1", "--threads", "1"];
    let output = tern(folder.path(), &[&options[..], more].concat());
    assert!(output.status.success(), "{recipe}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_lesson_trains() {
    let mut count = 0;
    for entry in fs::read_dir(lessons()).unwrap() {
        let recipe = entry.unwrap().path().join("recipe.toml");
        if recipe.is_file() {
            let figures = one_epoch(&recipe, &[]);
            assert!(figures["history"][0]["train_loss"].as_f64().unwrap().is_finite(), "{figures}");
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

/// 76 tokens × 32, an RNN of 64 units with one bias, two outputs: the count that the textbook prints.
#[test]
fn reviews_lesson_has_the_parameters_of_the_textbook() {
    let recipe = lessons().join("reviews/recipe.toml");
    let figures = one_epoch(&recipe, &["--no-baselines"]);
    assert_eq!((&figures["parameters"], &figures["train_examples"]), (&8770.into(), &40.into()));
}

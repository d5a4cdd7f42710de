//! The recipes of `models/lessons`, and the counts of parameters that textbooks print.

use super::{stderr, tern};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lessons")
}

/// Trains a lesson for an epoch and returns its figures.
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

#[test]
fn lessons_have_the_parameters_that_textbooks_print() {
    let recipe = lessons().join("reviews/recipe.toml");
    assert_eq!(one_epoch(&recipe, &["--no-baselines"])["parameters"], 8770);

    // The same on the reviews that the textbook uses.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/lessons");
    if !data.is_dir() {
        eprintln!("skipped: the textbook's reviews are not at {}", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(&recipe).unwrap();
    let path = |name: &str| data.join(name).canonicalize().unwrap().display().to_string();
    let text = text.replace("\"reviews.csv\"", &format!("{:?}", path("reviews_train.csv")));
    let text = text.replace("\"reviews_test.csv\"", &format!("{:?}", path("reviews_test.csv")));
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, text).unwrap();
    let figures = one_epoch(&recipe, &["--no-baselines"]);
    assert_eq!((&figures["parameters"], &figures["train_examples"]), (&8770.into(), &40.into()));
}

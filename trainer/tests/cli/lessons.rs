//! Trains every recipe of `models/lessons` for one epoch.

use crate::folder::{Folder, number};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lessons")
}

/// Trains a lesson for one epoch and returns the output of `tern train --json`.
fn one_epoch(recipe: &Path, more: &str) -> Value {
    Folder::new().json(&format!("train '{}' -o m --json --epochs 1 --threads 1 {more}", recipe.display()))
}

#[test]
fn every_lesson_trains() {
    let recipes = fs::read_dir(lessons()).unwrap().map(|entry| entry.unwrap().path().join("recipe.toml"));
    let recipes: Vec<PathBuf> = recipes.filter(|recipe| recipe.is_file()).collect();
    assert_eq!(recipes.len(), 5);
    for recipe in recipes {
        let figures = one_epoch(&recipe, "");
        assert!(number(&figures["history"][0], "train_loss").is_finite(), "{figures}");
    }
}

/// 76 tokens × 32, an RNN of 64 units with one bias, two outputs: the count that the textbook prints.
#[test]
fn reviews_lesson_has_the_parameters_of_the_textbook() {
    let figures = one_epoch(&lessons().join("reviews/recipe.toml"), "--no-baselines");
    assert_eq!((&figures["parameters"], &figures["train_examples"]), (&8770.into(), &40.into()));
}

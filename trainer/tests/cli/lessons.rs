//! Trains every recipe of `models/lessons` for one epoch, and reads the device files of `models`.

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

/// The device files of `models/` pass their own test, and the index states their sizes.
#[test]
fn device_files_are_those_of_the_index() {
    let models = lessons().parent().unwrap().to_owned();
    let index = fs::read_to_string(models.join("README.md")).unwrap();
    for name in ["building", "clinc150", "sms_spam", "snips"] {
        let file = models.join(name).join(format!("{name}.safetensors"));
        let figures = Folder::new().json(&format!("inspect '{}' --json", file.display()));
        assert_eq!(figures["name"], name);
        assert_eq!(figures["golden"]["passed"], figures["golden"]["total"]);
        assert!(number(&figures["golden"], "total") > 0.0, "{figures}");
        let row = index.lines().find(|line| line.starts_with(&format!("| [{name}]"))).unwrap();
        for figure in ["file_bytes", "scratch_bytes"] {
            let bytes = figures[figure].as_u64().unwrap();
            let shown =
                if bytes < 1_000 { bytes.to_string() } else { format!("{},{:03}", bytes / 1_000, bytes % 1_000) };
            assert!(row.contains(&format!("| {shown} |")), "{shown} is missing in {row}");
        }
    }
}

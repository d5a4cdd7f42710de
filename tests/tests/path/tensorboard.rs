//! The event files of `tern train --tensorboard`, read by the Python package tensorboard.

use std::fs;

use tern_tests::{folder, python, stdout_of, table, tasks, tern};

/// The Python program: prints every scalar of a folder of event files as [step, value] by tag.
const SCRIPT: &str = r#"
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
"#;

#[test]
fn tensorboard_reads_every_batch_and_epoch() {
    let folder = folder("tensorboard");
    let path = |name: &str| folder.join(name);
    fs::write(path("messages.csv"), table(200)).unwrap();
    for write in [tasks::novel, tasks::months, tasks::ramps] {
        write(&folder);
    }
    let accuracy = ("valid/accuracy", "valid_accuracy");
    let bits = ("valid/bits_per_character", "valid_bits_per_character");
    for (name, options, figures) in [
        ("messages.csv", &["--no-baselines"][..], &[accuracy, ("valid/macro_f1", "valid_macro_f1")][..]),
        ("novel.txt", &["--window", "16"], &[accuracy, ("valid/perplexity", "valid_perplexity"), bits]),
        ("months.csv", &["--task", "forecast"], &[("valid/mae", "valid_mae"), ("valid/rmse", "valid_rmse")]),
        ("ramps.csv", &["--input", "values", "--folds", "1"], &[accuracy]),
    ] {
        let (model, board) = (path(&format!("{name}-model")), path(&format!("{name}-board")));
        let small = ["--hidden-size", "8", "--epochs", "2", "--batch-size", "4"];
        let mut train = tern();
        train.arg("train").arg(path(name)).arg("-o").arg(&model).arg("--tensorboard").arg(&board);
        stdout_of(train.args(options).args(small));

        let Some(stdout) = python(SCRIPT, &[&board]) else { return };
        let seen: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let metrics: serde_json::Value =
            serde_json::from_slice(&fs::read(model.join("metrics.json")).unwrap()).unwrap();
        let batches = seen["train/loss"].as_array().unwrap();
        let steps: Vec<u64> = batches.iter().map(|point| point[0].as_u64().unwrap()).collect();
        assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
        assert!(steps.len() >= 18, "{name}: two epochs of nine batches or more: {}", steps.len());
        for tag in ["train/learning_rate", "train/gradient_norm"] {
            assert_eq!(seen[tag].as_array().unwrap().len(), steps.len(), "{name}: {tag}");
        }
        assert_eq!(seen["train/accuracy"].is_array(), name != "months.csv", "{name}");
        for (tag, key) in figures.iter().chain(&[("valid/loss", "valid_loss")]) {
            let (points, history) = (seen[tag].as_array().unwrap(), metrics["history"].as_array().unwrap());
            assert_eq!(points.len(), history.len());
            for (point, epoch) in points.iter().zip(history) {
                let (found, expected) = (point[1].as_f64().unwrap(), epoch[key].as_f64().unwrap());
                assert!(
                    (found - expected).abs() < 1e-6 * expected.max(1.0),
                    "{name}: {tag}: {found}, expected {expected}"
                );
            }
        }
    }
}

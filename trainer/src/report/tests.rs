//! Tests of the page and the model card.

use super::*;
use crate::data::Example;
use crate::float_model::Refusal;
use crate::tasks;
use crate::tasks::classification::{self, TrainingStats};
use crate::tasks::text_classification::TextMistakes;
use crate::train::{EpochFigures, Outcome, Sample, Steps, StopReason, Target, Validation};

fn figures(model: &FloatModel) -> TrainingMetrics {
    let epoch = |epoch| EpochFigures {
        epoch,
        train_loss: 1.0 / epoch as f64,
        train_accuracy: Some(0.5),
        valid: Validation {
            loss: 493.0 / 494.0 / epoch as f64,
            accuracy: Some(0.5),
            macro_f1: Some(0.5),
            ..Validation::default()
        },
        learning_rate: 0.001,
    };
    let outcome = Outcome {
        weights: model.weights().clone(),
        history: vec![epoch(1), epoch(2)],
        best_epoch: 2,
        stop_reason: StopReason::Epochs,
    };
    let rows = model.validation();
    let analysis = crate::tasks::classification::Analysis::new(model, rows);
    let sample = |row: &Example| Sample::new(Steps::Tokens(vec![2; 9]), Target::Class(row.label));
    let samples: Vec<Sample> = model.calibration().iter().map(sample).collect();
    let training = TrainingStats { samples: &samples, lengths: &[9; 4], leaked: 0, truncated: 0 };
    let report = std::sync::Arc::new(TextMistakes::new(model, rows, &analysis));
    let measured = classification::measurements(&analysis, model.labels(), training, report, None);
    TrainingMetrics::new(model, measured, 4, &outcome, crate::recipe::Metric::Accuracy)
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::for_data(Path::new("data/messages.csv"));
    // As a recipe is written.
    recipe.tokenizer.lowercase = Some(true);
    recipe
}

/// A model with markup in its names and texts.
fn model() -> FloatModel {
    let plain = crate::float_model::tests::model();
    let mut config = plain.config().clone();
    config.name = "<b>n'ame</b>".to_owned();
    config.labels = vec!["<i>".to_owned(), "a|b".to_owned()];
    let rows: Vec<Example> =
        (0..4).map(|index| Example { text: "<script>alert(1)</script>".into(), label: index % 2 }).collect();
    let (vocabulary, weights) = (plain.vocabulary().clone(), plain.weights().clone());
    FloatModel::new(config, vocabulary, weights, rows.clone(), rows).unwrap()
}

fn validate(dir: &Path, model: &FloatModel) -> ValidationResult {
    tasks::handler_of(model).validate(model, dir).unwrap()
}

fn read_inputs(dir: &Path) -> anyhow::Result<ReportInputs> {
    let model = FloatModel::load(dir).unwrap();
    ReportInputs::read(dir, &model, validate(dir, &model))
}

fn inputs() -> ReportInputs {
    let model = model();
    ReportInputs::new(&model, &recipe(), &figures(&model))
}

#[test]
fn the_page_needs_no_other_file_and_escapes_texts() {
    let mut inputs = inputs();
    inputs.set_export(
        &serde_json::json!({ "float_accuracy": 0.5, "integer_accuracy": 0.5, "examples": 4, "disagreements": 0,
        "largest_logit_difference": 0.001, "file_bytes": 1000, "parts": { "<u>": 400, "weights": 600 },
        "layers": [{ "tensor": "<script>", "error": 0.01 }] }),
    );
    let page = inputs.page();
    for outside in ["http://", "https://", "<script", "<i>\"", "<b>n", "<u>", "src=", "@import", "NaN", "javascript:"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Loss, accuracy, macro F1; calibration; accuracy by length, training lengths.
    assert_eq!(page.matches("<svg").count(), 6);
    assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-label=").count());
    assert!(page.contains("&lt;script&gt;alert"), "the mistakes are missing");
    assert!(page.contains("default-src 'none'"));
    let ids: Vec<&str> = page.split("<h2 id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids, ["training", "classes", "confusion", "calibration", "length", "mistakes", "device", "recipe"]);
    for id in ids {
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "no link to {id}");
    }
}

#[test]
fn every_figure_of_the_page_is_in_the_files() {
    check_figures(&inputs());
    let inputs = refusing();
    check_figures(&inputs);
    let page = inputs.page();
    for pointer in ["calibration/uncalibrated_loss", "refusal/answered_accuracy", "refusal/out_of_scope_refused_share"]
    {
        assert!(page.contains(&format!("data-at=\"/validation/{pointer}\"")), "{pointer}");
    }
    assert!(page.contains("if the label is “&lt;i&gt;”"));
    assert!(
        inputs.card().contains("It refuses to answer if no label reaches a probability of 70.0 %. Apart from that, it")
    );
}

/// The inputs for a model with a temperature, which refuses to answer.
fn refusing() -> ReportInputs {
    let plain = model();
    let mut config = plain.config().clone();
    config.temperature = Some(1.5);
    config.refusal = Some(Refusal { share: 0.5, below: 45_875, label: Some(config.labels[0].clone()) });
    let (vocabulary, weights, rows) =
        (plain.vocabulary().clone(), plain.weights().clone(), plain.validation().to_vec());
    let model = FloatModel::new(config, vocabulary, weights, rows.clone(), rows).unwrap();
    ReportInputs::new(&model, &recipe(), &figures(&model))
}

fn check_figures(inputs: &ReportInputs) {
    let (page, mut seen) = (inputs.page(), 0);
    for datum in page.split("<data value=\"").skip(1) {
        let (value, rest) = datum.split_once("\" data-at=\"").unwrap();
        let (pointer, _) = rest.split_once('"').unwrap();
        let pointer = pointer.replace("&lt;", "<").replace("&gt;", ">");
        let expected = inputs.metrics.pointer(&pointer).unwrap_or_else(|| panic!("no {pointer} in metrics.json"));
        assert_eq!(value.parse::<f64>().unwrap(), expected.as_f64().unwrap(), "{pointer}");
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn many_classes_are_listed_and_not_drawn_as_a_grid() {
    let plain = crate::float_model::tests::model();
    let labels: Vec<String> = (0..151).map(|index| format!("class {index}")).collect();
    let confusion: Vec<Vec<usize>> =
        (0..151).map(|row| (0..151).map(|column| usize::from(row % 7 == column % 50)).collect()).collect();
    let metrics = serde_json::json!({ "validation": { "examples": 1, "confusion": confusion } });
    let mut config = plain.config().clone();
    config.labels = labels;
    let task = std::sync::Arc::new(TextMistakes::default());
    let page = ReportInputs { config, recipe: None, metrics, export: None, task }.page();
    assert!(!page.contains("class=\"matrix\""));
    assert!(page.contains("pairs of different labels occur"), "{page}");
    assert!(page.matches("<tr>").count() < 60 && page.len() < 60_000);
}

#[test]
fn the_search_names_the_trials_that_were_compared_in_integers() {
    let mut inputs = inputs();
    inputs.metrics["search"] = serde_json::json!({
        "metric": "accuracy", "candidates": 1, "budget": { "flash": 4096 }, "verdict": [], "mean_steps": 9.0,
        "trials": [{ "candidate": 1, "network": "gru 8", "epochs": 4, "score": 0.5, "loss": 0.7, "in_integers": true,
            "file_bytes": 1000, "scratch_bytes": 100, "instructions_per_token": 50 }],
    });
    assert!(inputs.page().contains("Those that trained for half of the epochs or more were compared in integers."));
    inputs.metrics["validation"]["folds"] = 5.into();
    assert!(inputs.page().contains("Those that trained for all epochs were compared in integers."));
}

#[test]
fn the_card_has_the_metrics_and_the_limits_of_the_model() {
    let card = inputs().card();
    for expected in [
        "| validation accuracy | 0.5000 |",
        "accuracy of the most frequent label | 0.5000",
        "`messages.csv`",
        "a\\|b",
        "validation",
        "## Intended use and limits",
    ] {
        assert!(card.contains(expected), "{expected} is missing in\n{card}");
    }
    assert!(!card.contains("<b>") || card.starts_with("---"), "{card}");
    let (_, body) = card[4..].split_once("---\n").unwrap();
    assert!(!body.contains("<b>"), "{body}");
    assert!(!card.contains("license"), "the recipe has no licence");
}

#[test]
fn an_export_renews_the_page_and_an_unchanged_card() {
    let folder = tempfile::tempdir().unwrap();
    let (model, dir) = (model(), folder.path());
    model.save(dir).unwrap();
    write(dir, dir, &model, &recipe(), &figures(&model)).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let before = read(files::REPORT);
    // The page that is made again from the files is the same.
    assert_eq!(read_inputs(dir).unwrap().page(), before);
    assert_eq!(read_inputs(dir).unwrap().card(), read(files::CARD));

    let export = serde_json::json!({ "integer_accuracy": 0.250_040_486_040_486_04, "float_accuracy": 0.997_975_708_502_024_3, "disagreements": 1, "examples": 4 });
    assert!(add_export(dir, &model, validate(dir, &model), &export).unwrap());
    assert!(read(files::REPORT).contains("On the device") && !before.contains("On the device"));
    assert!(read(files::CARD).contains("| accuracy in integers | 0.2500 |"));
    assert_eq!(read_inputs(dir).unwrap().page(), read(files::REPORT));
    assert!(add_export(dir, &model, validate(dir, &model), &export).unwrap(), "the second time as well");

    std::fs::write(dir.join(files::CARD), "# Mine\n").unwrap();
    assert!(!add_export(dir, &model, validate(dir, &model), &export).unwrap());
    assert_eq!(read(files::CARD), "# Mine\n");
}

#[test]
fn a_directory_without_figures_still_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    model().save(folder.path()).unwrap();
    let inputs = read_inputs(folder.path()).unwrap();
    assert!(inputs.page().contains("validation accuracy"));
    assert!(inputs.card().contains("not trained by Tern"));
    std::fs::write(folder.path().join(files::METRICS), "{").unwrap();
    let message = read_inputs(folder.path()).unwrap_err().to_string();
    assert!(message.contains("metrics.json: ") && message.contains("train or export again"), "{message}");
}

#[test]
fn metrics_hold_no_time_and_no_path() {
    let model = model();
    let metrics = figures(&model).json;
    assert_eq!(metrics["validation"]["accuracy"], 0.5);
    assert_eq!(metrics["validation"]["calibration"]["bins"].as_array().unwrap().len(), 1);
    assert_eq!(metrics["history"].as_array().unwrap().len(), 2);
    let text = metrics.to_string();
    assert!(!text.contains("second") && !text.contains("data/"), "{text}");
}

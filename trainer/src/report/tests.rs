use super::*;
use crate::data::Example;
use crate::train::{Ending, EpochFigures, Outcome, Validation};

fn figures(model: &FloatModel) -> Figures {
    let epoch = |epoch| EpochFigures {
        epoch,
        train_loss: 1.0 / epoch as f64,
        train_accuracy: Some(0.5),
        valid: Validation { loss: 0.7, accuracy: Some(0.5), macro_f1: Some(0.5) },
        learning_rate: 0.001,
    };
    let outcome = Outcome {
        weights: model.weights().clone(),
        history: vec![epoch(1), epoch(2)],
        best_epoch: 2,
        ending: Ending::Epochs,
        cut: 0,
    };
    Figures::new(model, model.calibration(), 0, &outcome)
}

fn recipe() -> Recipe {
    Recipe::for_data(Path::new("data/messages.csv"))
}

/// A model with hostile names and texts.
fn model() -> FloatModel {
    let plain = crate::float_model::tests::model();
    let mut config = plain.config().clone();
    config.name = "<b>n'ame</b>".to_owned();
    config.labels = vec!["<i>".to_owned(), "a|b".to_owned()];
    let rows: Vec<Example> =
        (0..4).map(|index| Example { text: "<script>alert(1)</script>".to_owned(), label: index % 2 }).collect();
    let (vocabulary, weights) = (plain.vocabulary().clone(), plain.weights().clone());
    FloatModel::new(config, vocabulary, weights, rows.clone(), rows).unwrap()
}

#[test]
fn the_page_stands_alone_and_escapes_what_it_shows() {
    let model = model();
    let page = html::page(model.config(), &recipe(), &figures(&model));
    for outside in ["http://", "https://", "<script", "<i>", "<b>n", "src=", "@import", "NaN"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("&lt;script&gt;alert(1)"), "the mistakes are missing");
}

#[test]
fn the_card_says_how_good_the_model_is_and_how_good_that_is() {
    let model = model();
    let card = card::card(model.config(), &recipe(), &figures(&model));
    for expected in
        ["| accuracy | 0.5000 |", "always the most frequent label | 0.5000", "`messages.csv`", "a\\|b", "validation"]
    {
        assert!(card.contains(expected), "{expected} is missing in\n{card}");
    }
    assert!(!card.contains("<b>"));
}

#[test]
fn metrics_hold_no_time_and_no_path() {
    let model = model();
    let metrics = figures(&model).to_json();
    assert_eq!(metrics["validation"]["accuracy"], 0.5);
    assert_eq!(metrics["history"].as_array().unwrap().len(), 2);
    let text = metrics.to_string();
    assert!(!text.contains("second") && !text.contains("data/"), "{text}");
}

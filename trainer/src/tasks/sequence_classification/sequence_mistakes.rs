//! The most confident wrong predictions of a sequence classifier, and their section of the report.

use crate::float_model::files;
use crate::report::elements::{Cell, count, nothing, percent, table};
use crate::report::{ReportInputs, Section, TaskReport, TaskWording};
use crate::tasks::classification::analysis::{MAX_MISTAKES, PredictedExample};
use crate::tasks::classification::{Analysis, SUMMARY_FIGURES};
use maud::{Markup, html};

/// The wrong predictions on the validation sequences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceMistakes {
    /// Number of validation sequences.
    pub examples: usize,
    /// Number of wrong predictions.
    pub wrong: usize,
    /// The most confident wrong predictions, each with the name of its sequence.
    pub mistakes: Vec<(String, PredictedExample)>,
}

impl SequenceMistakes {
    /// Collects the wrong predictions of an analysis. `names`: the names of the analysed sequences, in their order.
    pub fn new<'a>(analysis: &Analysis, names: impl Iterator<Item = &'a str>) -> Self {
        let (names, wrong): (Vec<&str>, _) = (names.collect(), analysis.wrong());
        let mistake = |&(index, prediction): &(usize, &PredictedExample)| (names[index].to_owned(), prediction.clone());
        SequenceMistakes {
            examples: analysis.predictions.len(),
            wrong: wrong.len(),
            mistakes: wrong.iter().take(MAX_MISTAKES).map(mistake).collect(),
        }
    }

    /// Returns a table of the most confident wrong predictions; empty without validation sequences.
    fn table_of_mistakes(&self, page: &ReportInputs) -> Markup {
        if self.examples == 0 {
            return nothing();
        }
        if self.mistakes.is_empty() {
            return html! { p { "Every validation sequence was predicted correctly." } };
        }
        let number = |text: String| Cell::Number(html! { (text) });
        let label = |index: usize| Cell::Text(page.config.labels[index].clone());
        let row = |(name, prediction): &(String, PredictedExample)| {
            vec![
                Cell::Text(name.clone()),
                label(prediction.label),
                label(prediction.predicted),
                number(percent(prediction.probability)),
                number(count(prediction.tokens as f64)),
            ]
        };
        let rows: Vec<Vec<Cell>> = self.mistakes.iter().map(row).collect();
        let head = ["sequence", "label", "predicted", "probability", "time steps"];
        html! {
            p {
                (self.mistakes.len()) " of the " (count(self.wrong as f64)) " validation sequences with a wrong prediction, the "
                "most confident first. The names are those in " code { (page.validation_file()) } "."
            }
            (table("Validation sequences with a wrong prediction", &head, &rows))
        }
    }
}

impl TaskReport for SequenceMistakes {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &ReportInputs) -> Vec<Section> {
        let mut sections = page.classifier_sections();
        sections.push(("mistakes", "Most confident mistakes", self.table_of_mistakes(page)));
        sections
    }
}

/// The wording of the report for sequence classifiers.
static WORDING: TaskWording = TaskWording {
    purpose: |config| format!("Predicts one of {} labels for a sequence of numbers", config.labels.len()),
    figures: SUMMARY_FIGURES,
    loss: "Loss (cross-entropy)",
    compared: "sequences",
    validation: ("sequences", "/validation/examples"),
    training: ("sequences", "/train_examples"),
    is_stratified: true,
    files: [files::VALIDATION, files::CALIBRATION],
    hub_task: ("tabular-classification", "Classification of numeric sequences"),
    intended_use: (
        "sequences",
        "It predicts one of its labels for every sequence, even if none fits: look at the probability. It was not tested on other data.",
    ),
    commands: |folder, validation| format!("tern predict {folder} {folder}/{validation}"),
};

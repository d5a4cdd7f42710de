//! The most confident wrong predictions of a sequence classifier.

use super::Sequences;
use crate::report::elements::{Cell, count, percent, table};
use crate::report::html_page::HtmlPage;
use crate::report::{Section, TaskReport, TaskWording};
use crate::tasks::classification::Analysis;
use maud::{Markup, html};

/// Largest number of mistakes that are kept.
const MISTAKES: usize = 25;

/// The wrong predictions on the validation sequences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceMistakes {
    /// Number of wrong predictions.
    pub wrong: usize,
    /// The most confident wrong predictions.
    pub mistakes: Vec<WrongSequence>,
}

/// A validation sequence with a wrong prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongSequence {
    /// The name of the sequence in the table.
    pub name: String,
    /// The index of its label.
    pub label: usize,
    /// The index of the predicted label.
    pub predicted: usize,
    /// The probability of the predicted label.
    pub probability: f64,
    /// Number of time steps.
    pub steps: usize,
}

impl SequenceMistakes {
    /// Collects the mistakes of an analysis of `sequences`.
    pub fn new(analysis: &Analysis, sequences: &Sequences) -> Self {
        let names = (0..sequences.spans.len()).map(|sequence| sequences.name(sequence));
        let answers = names.zip(&analysis.predictions).filter(|(_, answer)| answer.label != answer.predicted);
        let mut mistakes: Vec<WrongSequence> = answers
            .map(|(name, answer)| WrongSequence {
                name: name.to_owned(),
                label: answer.label,
                predicted: answer.predicted,
                probability: answer.probability,
                steps: answer.tokens,
            })
            .collect();
        mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let wrong = mistakes.len();
        mistakes.truncate(MISTAKES);
        SequenceMistakes { wrong, mistakes }
    }
}

impl TaskReport for SequenceMistakes {
    fn wording(&self) -> &'static TaskWording {
        &super::WORDING
    }

    fn sections(&self, page: &HtmlPage<'_>) -> Vec<Section> {
        vec![
            ("classes", "Classes", page.classes()),
            ("confusion", "Confusion matrix", page.confusion()),
            ("calibration", "Calibration", page.calibration()),
            ("length", "Accuracy by length", page.lengths()),
            ("mistakes", "Most confident mistakes", wrong_sequences(page, self)),
        ]
    }
}

/// The most confident wrong predictions, as a table.
fn wrong_sequences(page: &HtmlPage<'_>, findings: &SequenceMistakes) -> Markup {
    if findings.mistakes.is_empty() {
        return html! { p { "Every validation sequence was predicted correctly." } };
    }
    let number = |text: String| Cell::Number(html! { (text) });
    let label = |label: usize| Cell::Text(page.config.labels[label].clone());
    let row = |wrong: &WrongSequence| {
        vec![
            Cell::Text(wrong.name.clone()),
            label(wrong.label),
            label(wrong.predicted),
            number(percent(wrong.probability)),
            number(count(wrong.steps as f64)),
        ]
    };
    let rows: Vec<Vec<Cell>> = findings.mistakes.iter().map(row).collect();
    let head = ["sequence", "label", "predicted", "probability", "time steps"];
    html! {
        p {
            (findings.mistakes.len()) " of the " (count(findings.wrong as f64)) " validation sequences with a wrong prediction, the "
            "most confident first. The names are those in " code { "validation.csv" } "."
        }
        (table("Validation sequences with a wrong prediction", &head, &rows))
    }
}

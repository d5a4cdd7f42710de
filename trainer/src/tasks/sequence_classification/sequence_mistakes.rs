//! Which held-out sequences of numbers got a wrong label.

use super::Sequences;
use crate::report::elements::{Cell, count, percent, table};
use crate::report::html_page::HtmlPage;
use crate::report::{Section, TaskReport, TaskWording};
use crate::tasks::classification::Analysis;
use maud::{Markup, html};

/// The most mistakes that are kept.
const MISTAKES: usize = 25;

/// What the held-out sequences show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceMistakes {
    /// How many of them got a wrong label.
    pub wrong: usize,
    /// The surest of those.
    pub mistakes: Vec<WrongSequence>,
}

/// A held-out sequence that the model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongSequence {
    /// What it is called in the table.
    pub name: String,
    /// Its label.
    pub label: usize,
    /// The label predicted.
    pub predicted: usize,
    /// The probability of that.
    pub probability: f64,
    /// Its rows.
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

//! The most confident wrong predictions of a text classifier and the words that influenced its predictions, with their
//! sections of the report.

use super::word_weights::{self, WeightedPart, WeightedWord, WordWeights};
use crate::data::Example;
use crate::display::excerpt;
use crate::model::Model;
use crate::report::ReportInputs;
use crate::report::elements::{Cell, count, nothing, percent, table};
use crate::tasks::classification::Analysis;
use crate::tasks::classification::analysis::{MAX_MISTAKES, PredictedExample};
use maud::{Markup, html};
use rayon::prelude::*;

/// Maximum number of characters of a text in the report.
const MAX_CHARS: usize = 400;
/// Maximum number of words, or groups of words, that are listed below a wrong prediction.
const MAX_WORDS: usize = 4;
/// Maximum number of characters of a group of words in this list.
const MAX_PART_CHARS: usize = 40;
/// The smallest absolute weight of a word that is listed below a wrong prediction.
const MIN_WEIGHT: f64 = 0.05;

/// The wrong predictions on the validation texts.
#[derive(Clone, Debug, Default)]
pub struct TextMistakes {
    /// Number of validation texts.
    pub examples: usize,
    /// Number of wrong predictions.
    pub wrong: usize,
    /// The most confident wrong predictions.
    pub mistakes: Vec<Mistake>,
    /// The most influential words of each label.
    pub words: WordWeights,
}

/// A validation text with a wrong prediction.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The text.
    pub text: String,
    /// The wrong prediction.
    pub prediction: PredictedExample,
    /// The weights of the text's words, or of groups of words if it is long, for the label that the model predicts.
    pub weighted_parts: Vec<WeightedPart>,
}

impl TextMistakes {
    /// Collects the wrong predictions of `analysis` for `examples`, and measures the weights of words with `model`.
    pub fn new(model: &dyn Model, examples: &[Example], analysis: &Analysis) -> Self {
        let classify = |text: &str| model.classify(text).logits;
        let wrong = analysis.wrong();
        let mistake = |&(index, prediction): &(usize, &PredictedExample)| {
            let text = examples[index].text.to_string();
            let weighted_parts = word_weights::parts(&classify, &text);
            Mistake { text, prediction: prediction.clone(), weighted_parts }
        };
        TextMistakes {
            examples: examples.len(),
            wrong: wrong.len(),
            mistakes: wrong.par_iter().take(MAX_MISTAKES).map(mistake).collect(),
            words: word_weights::most_influential(&classify, model.labels().len(), examples),
        }
    }

    /// Returns the section with the words that have the largest weights for each label; empty if there are none.
    pub fn word_section(&self, page: &ReportInputs) -> Markup {
        let list = |words: &[WeightedWord]| {
            let word = |word: &WeightedWord| format!("{} +{:.1}", word.word, word.weight);
            words.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        let by_label = page.config.labels.iter().zip(&self.words.by_label).filter(|(_, words)| !words.is_empty());
        let rows: Vec<Vec<Cell>> =
            by_label.map(|(label, words)| vec![Cell::Text(label.clone()), Cell::Text(list(words))]).collect();
        if rows.is_empty() {
            return nothing();
        }
        html! {
            p {
                "The weight of a word is the decrease of the predicted label’s log-odds, ln " i { "p" } "/(1 − " i { "p" }
                "), when the word is removed from the text; +0.7 about doubles the odds. Each weight is a mean over "
                (count(self.words.texts as f64)) (if page.is_cross_validated() { " training texts; only" } else { " validation texts; only" })
                " words in at least two of them are listed."
            }
            (table("Influential words by label", &["label", "words with the largest weights"], &rows))
        }
    }

    /// Returns the section with the most confident wrong predictions; empty without validation texts.
    pub fn mistake_section(&self, page: &ReportInputs) -> Markup {
        if self.examples == 0 {
            return nothing();
        }
        if self.mistakes.is_empty() {
            return html! { p { "Every validation text was predicted correctly." } };
        }
        html! {
            p {
                (self.mistakes.len()) " of the " (count(self.wrong as f64)) " validation texts with a wrong prediction, the most "
                "confident first. The marked words are " mark.for style="--w:.25" { "for" } " or "
                mark.against style="--w:.25" { "against" } " the predicted label, weighted as above. Wrong labels in the data show here."
                @if page.is_cross_validated() { " The predictions are those of the cross-validation, the weights those of this model." }
            }
            ol.mistakes { @for mistake in &self.mistakes { (mistake_item(page, mistake)) } }
        }
    }
}

/// Returns the list item of a wrong prediction: labels, text with marked words, and the most influential words.
fn mistake_item(page: &ReportInputs, mistake: &Mistake) -> Markup {
    let PredictedExample { label, predicted, probability, .. } = &mistake.prediction;
    let parts = mistake.weighted_parts.iter();
    let mut influential: Vec<&WeightedPart> = parts.filter(|part| part.weight.abs() >= MIN_WEIGHT).collect();
    influential.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let entry = |part: &&WeightedPart| {
        format!("{} {:+.1}", excerpt(&mistake.text[part.place.clone()], MAX_PART_CHARS), part.weight)
    };
    let words: Vec<String> = influential.iter().take(MAX_WORDS).map(entry).collect();
    html! {
        li {
            p {
                strong { (page.config.labels[*label]) } ", predicted "
                strong { (page.config.labels[*predicted]) } " with " (percent(*probability))
            }
            blockquote { (marked(&mistake.text, &mistake.weighted_parts)) }
            @if !words.is_empty() { p.note { (words.join(", ")) } }
        }
    }
}

/// Returns the first [`MAX_CHARS`] characters of a text, in which influential parts are marked; a larger weight gives a
/// darker mark.
fn marked(text: &str, parts: &[WeightedPart]) -> Markup {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(byte, _)| byte);
    // At least 0.5, so that a text in which all weights are small gets lighter marks than other texts.
    let largest = parts.iter().map(|part| part.weight.abs()).fold(0.5, f64::max);
    let parts: Vec<&WeightedPart> = parts.iter().filter(|part| part.place.end <= end).collect();
    // For each part, the end of the part before it.
    let previous_ends = std::iter::once(0).chain(parts.iter().map(|part| part.place.end));
    let last_end = parts.last().map_or(0, |part| part.place.end);
    html! {
        @for (part, previous_end) in parts.iter().zip(previous_ends) {
            (text[previous_end..part.place.start])
            // From 0 to 1. Parts of less than 0.1 are not marked; `--w` is the opacity of the mark in `style.css`.
            @let depth = part.weight.abs() / largest;
            @let class = if part.weight > 0.0 { "for" } else { "against" };
            @if depth >= 0.1 {
                mark.(class) style={ "--w:" (format!("{:.2}", 0.45 * depth)) } { (text[part.place.clone()]) }
            } @else {
                (text[part.place.clone()])
            }
        }
        (text[last_end..end])
        @if end < text.len() { "…" }
    }
}

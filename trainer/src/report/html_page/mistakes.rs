//! The sections about single predictions: which words influenced them, and where the model is wrong.

use super::HtmlPage;
use crate::report::elements::{Cell, count, nothing, percent, table};
use crate::tasks::Findings;
use crate::tasks::sequence_classification::{SequenceMistakes, WrongSequence};
use crate::tasks::text_classification::Mistake;
use crate::tasks::text_classification::word_weights::{WeightedPart, WeightedWord};
use maud::{Markup, html};

/// Maximum number of characters of a text on the page.
const EXCERPT: usize = 400;
/// Number of words that are listed below a mistake.
const MAX_WORDS: usize = 4;

impl HtmlPage<'_> {
    pub(super) fn words(&self) -> Markup {
        let Findings::Texts(findings) = self.findings else { return nothing() };
        let words = &findings.words;
        let list = |words: &[WeightedWord]| {
            let word = |word: &WeightedWord| format!("{} +{:.1}", word.word, word.weight);
            words.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        let by_label = self.config.labels.iter().zip(&words.by_label).filter(|(_, words)| !words.is_empty());
        let rows: Vec<Vec<Cell>> =
            by_label.map(|(label, words)| vec![Cell::Text(label.clone()), Cell::Text(list(words))]).collect();
        if rows.is_empty() {
            return nothing();
        }
        html! {
            p {
                "The weight of a word is the decrease of the predicted label’s log-odds, ln " i { "p" } "/(1 − " i { "p" }
                "), when the word is removed from the text; +0.7 about doubles the odds. Each weight is a mean over "
                (count(words.texts as f64)) " validation texts; only words in at least two of them are listed."
            }
            (table("Influential words by label", &["label", "words with the largest weights"], &rows))
        }
    }

    pub(super) fn mistakes(&self) -> Markup {
        let findings = match self.findings {
            Findings::Texts(findings) if findings.examples > 0 => findings,
            Findings::Sequences(findings) => return self.wrong_sequences(findings),
            _ => return nothing(),
        };
        if findings.mistakes.is_empty() {
            return html! { p { "Every validation text was predicted correctly." } };
        }
        html! {
            p {
                (findings.mistakes.len()) " of the " (count(findings.wrong as f64)) " validation texts with a wrong prediction, the most "
                "confident first. The marked words are " mark.for style="--w:.25" { "for" } " or "
                mark.against style="--w:.25" { "against" } " the predicted label, weighted as above. Wrong labels in the data show here."
            }
            ol.mistakes { @for mistake in &findings.mistakes { (self.mistake(mistake)) } }
        }
    }

    fn wrong_sequences(&self, findings: &SequenceMistakes) -> Markup {
        if findings.mistakes.is_empty() {
            return html! { p { "Every validation sequence was predicted correctly." } };
        }
        let number = |text: String| Cell::Number(html! { (text) });
        let label = |label: usize| Cell::Text(self.config.labels[label].clone());
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

    fn mistake(&self, mistake: &Mistake) -> Markup {
        let mut words: Vec<&WeightedPart> = mistake.parts.iter().filter(|part| part.weight.abs() >= 0.05).collect();
        words.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let word =
            |part: &&WeightedPart| format!("{} {:+.1}", excerpt(&mistake.text[part.place.clone()], 40), part.weight);
        let words: Vec<String> = words.iter().take(MAX_WORDS).map(word).collect();
        html! {
            li {
                p {
                    strong { (self.config.labels[mistake.label]) } ", predicted "
                    strong { (self.config.labels[mistake.predicted]) } " with " (percent(mistake.probability))
                }
                blockquote { (marked(&mistake.text, &mistake.parts)) }
                @if !words.is_empty() { p.note { (words.join(", ")) } }
            }
        }
    }
}

/// The first characters of a text, with an ellipsis if there are more.
fn excerpt(text: &str, characters: usize) -> String {
    let mut cut: String = text.chars().take(characters).collect();
    if text.chars().nth(characters).is_some() {
        cut.push('…');
    }
    cut
}

/// An excerpt of a text whose influential parts are marked, the darker the larger their weight.
fn marked(text: &str, parts: &[WeightedPart]) -> Markup {
    let end = text.char_indices().nth(EXCERPT).map_or(text.len(), |(at, _)| at);
    let largest = parts.iter().map(|part| part.weight.abs()).fold(0.5, f64::max);
    let parts: Vec<&WeightedPart> = parts.iter().filter(|part| part.place.end <= end).collect();
    let starts = std::iter::once(0).chain(parts.iter().map(|part| part.place.end));
    let rest = parts.last().map_or(0, |part| part.place.end);
    html! {
        @for (part, start) in parts.iter().zip(starts) {
            (text[start..part.place.start])
            @let depth = part.weight.abs() / largest;
            @let class = if part.weight > 0.0 { "for" } else { "against" };
            @if depth >= 0.1 {
                mark.(class) style={ "--w:" (format!("{:.2}", 0.45 * depth)) } { (text[part.place.clone()]) }
            } @else {
                (text[part.place.clone()])
            }
        }
        (text[rest..end])
        @if end < text.len() { "…" }
    }
}

//! The sections about single predictions: which words influenced them, and where the model is wrong.

use super::word_weights::{WeightedPart, WeightedWord, WordWeights};
use super::{Mistake, TextMistakes};
use crate::report::elements::{Cell, count, nothing, percent, table};
use crate::report::html_page::HtmlPage;
use maud::{Markup, html};

/// Maximum number of characters of a text on the page.
const EXCERPT: usize = 400;
/// Number of words that are listed below a mistake.
const MAX_WORDS: usize = 4;

/// The words with the largest weights for each label.
pub fn words(page: &HtmlPage<'_>, words: &WordWeights) -> Markup {
    let list = |words: &[WeightedWord]| {
        let word = |word: &WeightedWord| format!("{} +{:.1}", word.word, word.weight);
        words.iter().map(word).collect::<Vec<_>>().join(", ")
    };
    let by_label = page.config.labels.iter().zip(&words.by_label).filter(|(_, words)| !words.is_empty());
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

/// The most confident wrong predictions.
pub fn mistakes(page: &HtmlPage<'_>, findings: &TextMistakes) -> Markup {
    if findings.examples == 0 {
        return nothing();
    }
    if findings.mistakes.is_empty() {
        return html! { p { "Every validation text was predicted correctly." } };
    }
    html! {
        p {
            (findings.mistakes.len()) " of the " (count(findings.wrong as f64)) " validation texts with a wrong prediction, the most "
            "confident first. The marked words are " mark.for style="--w:.25" { "for" } " or "
            mark.against style="--w:.25" { "against" } " the predicted label, weighted as above. Wrong labels in the data show here."
        }
        ol.mistakes { @for mistake in &findings.mistakes { (item(page, mistake)) } }
    }
}

fn item(page: &HtmlPage<'_>, mistake: &Mistake) -> Markup {
    let mut words: Vec<&WeightedPart> =
        mistake.weighted_parts.iter().filter(|part| part.weight.abs() >= 0.05).collect();
    words.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let word = |part: &&WeightedPart| format!("{} {:+.1}", excerpt(&mistake.text[part.place.clone()], 40), part.weight);
    let words: Vec<String> = words.iter().take(MAX_WORDS).map(word).collect();
    html! {
        li {
            p {
                strong { (page.config.labels[mistake.label]) } ", predicted "
                strong { (page.config.labels[mistake.predicted]) } " with " (percent(mistake.probability))
            }
            blockquote { (marked(&mistake.text, &mistake.weighted_parts)) }
            @if !words.is_empty() { p.note { (words.join(", ")) } }
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

//! Which words carried a decision.
//!
//! The measure is leave-one-out: the text is classified again without the word, and the word's weight is by how much the log-odds of
//! the predicted label, ln p/(1 - p), fall. Above 0 it spoke for the label, below 0 against it. It asks the model only for answers, so it is the
//! same for every tokenizer, cell and arithmetic. ("Understanding Neural Networks through Representation Erasure", Li, Monroe and
//! Jurafsky 2016.) What two words say together, it cannot tell apart.

use crate::classifier::Classifier;
use crate::data::Example;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// The most parts of a text that are left out, one by one; a longer text is cut into parts of several words.
const PARTS: usize = 48;
/// The most bytes that the model reads for the table of words: some seconds' work.
const BUDGET: usize = 6_000_000;
/// In how many texts a word must stand to get into the table.
const LEAST: usize = 2;
/// The least mean weight of a word in the table: below, it did not decide.
const FAINTEST: f64 = 0.05;
/// Words of a label in the table.
const TOP: usize = 8;

/// A part of a text and what it said for the predicted label.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where it stands, in bytes.
    pub place: Range<usize>,
    /// By how much the log-odds of the predicted label fall without it, in nats.
    pub weight: f64,
}

/// A word over many texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// In lower case.
    pub word: String,
    /// Its mean weight.
    pub weight: f64,
    /// In how many texts it was left out.
    pub texts: usize,
}

/// What decided, by label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// `[label]`: the words that spoke the most for it, the weightiest first.
    pub by_label: Vec<Vec<Word>>,
    /// How many texts were looked at.
    pub texts: usize,
}

/// The weights of a text's parts for the label that `model` predicts.
pub fn parts(model: &dyn Classifier, text: &str) -> Vec<Part> {
    let words = words(text);
    let size = words.len().div_ceil(PARTS).max(1);
    let places = words.chunks(size).map(|words| words[0].start..words[words.len() - 1].end);
    weigh(model, text, places.collect())
}

/// The words that carried the decisions on `examples`, or on as many of them, evenly spread, as a few seconds allow.
pub fn decisive(model: &dyn Classifier, examples: &[Example]) -> Words {
    let labels = model.labels().len();
    // A text of n words is read once for each of up to PARTS of them.
    let cost = |text: &str| text.len() * (1 + words(text).len().min(PARTS));
    let total: usize = examples.iter().map(|example| cost(&example.text)).sum();
    let every = total.div_ceil(BUDGET).max(1);
    let chosen: Vec<&Example> = examples.iter().step_by(every).collect();
    let weighed: Vec<(usize, Vec<(String, f64)>)> = chosen
        .par_iter()
        .map(|example| {
            let text = &example.text;
            let all = words(text);
            let single: Vec<_> = all.iter().step_by(all.len().div_ceil(PARTS).max(1)).cloned().collect();
            let parts = weigh(model, text, single);
            let words = parts.into_iter().map(|part| (text[part.place].to_lowercase(), part.weight)).collect();
            (model.classify(text).logits.label(), words)
        })
        .collect();
    let mut sums: Vec<BTreeMap<String, (f64, usize)>> = vec![BTreeMap::new(); labels];
    for (label, mut words) in weighed {
        words.sort_by(|a, b| a.0.cmp(&b.0));
        // A word that stands in a text several times counts once, with its mean.
        for group in words.chunk_by(|a, b| a.0 == b.0) {
            let mean = group.iter().map(|(_, weight)| weight).sum::<f64>() / group.len() as f64;
            let (sum, texts) = sums[label].entry(group[0].0.clone()).or_default();
            *sum += mean;
            *texts += 1;
        }
    }
    let top = |sums: BTreeMap<String, (f64, usize)>| {
        let words = sums.into_iter().filter(|(_, (sum, texts))| *texts >= LEAST && sum / *texts as f64 >= FAINTEST);
        let mut words: Vec<Word> =
            words.map(|(word, (sum, texts))| Word { word, weight: sum / texts as f64, texts }).collect();
        words.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        words.truncate(TOP);
        words
    };
    Words { by_label: sums.into_iter().map(top).collect(), texts: chosen.len() }
}

fn weigh(model: &dyn Classifier, text: &str, places: Vec<Range<usize>>) -> Vec<Part> {
    let whole = model.classify(text).logits.log_probabilities();
    let label = crate::metrics::argmax(&whole);
    let before = log_odds(&whole, label);
    places
        .into_iter()
        .map(|place| {
            let without = format!("{}{}", &text[..place.start], &text[place.end..]);
            let after = log_odds(&model.classify(&without).logits.log_probabilities(), label);
            Part { place, weight: before - after }
        })
        .collect()
}

/// ln p/(1 - p) of a label.
fn log_odds(logs: &[f64], label: usize) -> f64 {
    let others = || logs.iter().enumerate().filter(|(index, _)| *index != label).map(|(_, log)| *log);
    let max = others().fold(f64::NEG_INFINITY, f64::max);
    // Far from the edges of f64, so that a difference of two is always a number.
    let rest = max + others().map(|log| (log - max).exp()).sum::<f64>().ln();
    (logs[label] - rest).clamp(-700.0, 700.0)
}

/// Where words stand: runs of letters and digits with the apostrophes in them, or runs of other characters that are not white.
fn words(text: &str) -> Vec<Range<usize>> {
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        c if c.is_alphanumeric() || matches!(c, '\'' | '’' | '_') => 1,
        _ => 2,
    };
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut last = 0;
    for (at, c) in text.char_indices() {
        let kind = kind(c);
        match places.last_mut() {
            Some(place) if kind == last => place.end = at + c.len_utf8(),
            _ => places.push(at..at + c.len_utf8()),
        }
        last = kind;
    }
    places.retain(|place| !text[place.clone()].starts_with(char::is_whitespace));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::{Logits, Prediction, TraceStep};

    /// Adds up the numbers in a text: ln p/(1 - p) of "more" is the sum.
    struct Sum([String; 2]);

    impl Classifier for Sum {
        fn labels(&self) -> &[String] {
            &self.0
        }
        fn classify(&self, text: &str) -> Prediction {
            let sum: f32 = text.split_whitespace().filter_map(|word| word.parse::<f32>().ok()).sum();
            Prediction { logits: Logits::Float(vec![0.0, sum]), tokens: 1, unknown: 0 }
        }
        fn trace(&self, _: &str) -> Vec<TraceStep> {
            vec![]
        }
    }

    fn sum() -> Sum {
        Sum(["less".to_owned(), "more".to_owned()])
    }

    #[test]
    fn a_words_weight_is_what_it_added() {
        let weights: Vec<f64> = parts(&sum(), "7 and  2 ça").into_iter().map(|part| part.weight).collect();
        for (weight, expected) in weights.iter().zip([7.0, 0.0, 2.0, 0.0]) {
            assert!((weight - expected).abs() < 1e-5, "{weights:?}");
        }
        assert_eq!(parts(&sum(), "").len(), 0);
        let long = "1 ".repeat(1000);
        let parts = parts(&sum(), &long);
        assert!(parts.len() <= PARTS, "{}", parts.len());
        assert!(parts.windows(2).all(|pair| pair[0].place.end < pair[1].place.start));
    }

    #[test]
    fn the_table_holds_words_that_stand_in_two_texts() {
        let texts = ["9 x 1", "9 y", "1 9 9", "5"];
        let examples: Vec<_> = texts.iter().map(|text| Example { text: (*text).to_owned(), label: 1 }).collect();
        let words = decisive(&sum(), &examples);
        assert_eq!((words.texts, words.by_label[0].len()), (4, 0));
        let found: Vec<_> = words.by_label[1].iter().map(|w| (w.word.as_str(), w.weight.round(), w.texts)).collect();
        assert_eq!(found, [("9", 9.0, 3), ("1", 1.0, 2)]);
    }

    #[test]
    fn words_are_cut_at_spaces_and_signs() {
        let cut = |text: &str| words(text).into_iter().map(|place| text[place].to_owned()).collect::<Vec<_>>();
        assert_eq!(cut("don't stop, größer :-) 5%"), ["don't", "stop", ",", "größer", ":-)", "5", "%"]);
        assert!(cut(" \n ").is_empty());
    }
}

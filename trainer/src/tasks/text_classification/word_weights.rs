//! Measures the influence of each word on a prediction by leaving the word out ("Understanding Neural Networks through
//! Representation Erasure", Li, Monroe and Jurafsky 2016).
//!
//! The weight of a word is the decrease of the predicted label's log-odds, ln(p/(1 - p)), when the text is classified
//! without the word. A positive weight is evidence for the label, a negative weight is evidence against it. The method
//! works for every model, but does not find words that are influential only together.

use crate::data::Example;
use crate::logits::Logits;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// A function that returns a classifier's logits for a text.
pub type Classify<'a> = &'a (dyn Fn(&str) -> Logits + Sync);

/// The maximum number of parts of a text, each of which is left out once. For a text of more words, [`parts`] has parts
/// of several words, and [`most_influential`] leaves out only some of the words.
const MAX_PARTS: usize = 48;
/// The number of bytes that the model may read for the table of words, approximately: some seconds of computation.
const MAX_BYTES: usize = 6_000_000;
/// The minimum number of texts with a word in the table.
const MIN_TEXTS: usize = 2;
/// The minimum mean weight of a word in the table.
const MIN_WEIGHT: f64 = 0.05;
/// The maximum number of words for a label in the table.
const MAX_WORDS: usize = 8;

/// A part of a text, and its weight for the predicted label.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedPart {
    /// The range of bytes in the text.
    pub place: Range<usize>,
    /// The decrease of the predicted label's log-odds without this part.
    pub weight: f64,
}

/// A word with its mean weight in several texts.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedWord {
    /// The word in lower case.
    pub word: String,
    /// The mean weight.
    pub weight: f64,
    /// The number of texts in which it was left out.
    pub texts: usize,
}

/// The most influential words of each label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WordWeights {
    /// The words with the largest weights for each label, in descending order: `[labels][words]`.
    pub by_label: Vec<Vec<WeightedWord>>,
    /// The number of texts that were analysed.
    pub texts: usize,
}

/// Returns the weights of the parts of a text for the label that `classify` predicts. A part is a word, or several
/// words of a long text.
pub fn parts(classify: Classify<'_>, text: &str) -> Vec<WeightedPart> {
    let words = words(text);
    let words_per_part = words.len().div_ceil(MAX_PARTS).max(1);
    let places = words.chunks(words_per_part).map(|words| words[0].start..words[words.len() - 1].end);
    weigh(classify, text, places.collect())
}

/// Returns the words in `examples` with the largest mean weights for each predicted label. Of many examples, every n-th
/// is analysed, so that the model reads about `MAX_BYTES` bytes. `labels`: the number of labels.
pub fn most_influential(classify: Classify<'_>, labels: usize, examples: &[Example]) -> WordWeights {
    // Approximately: a text is classified as a whole, and once without each of up to MAX_PARTS words.
    let bytes_read = |text: &str| text.len() * (1 + words(text).len().min(MAX_PARTS));
    let total: usize = examples.iter().map(|example| bytes_read(&example.text)).sum();
    let stride = total.div_ceil(MAX_BYTES).max(1);
    let chosen: Vec<&Example> = examples.iter().step_by(stride).collect();
    // The predicted label of each chosen text, and the weights of its words.
    let weighed: Vec<(usize, Vec<(String, f64)>)> =
        chosen.par_iter().map(|example| weigh_words(classify, &example.text)).collect();
    // For each predicted label and each word: the sum of the word's mean weights in the texts, and the number of texts.
    let mut sums: Vec<BTreeMap<String, (f64, usize)>> = vec![BTreeMap::new(); labels];
    for (label, mut words) in weighed {
        words.sort_by(|a, b| a.0.cmp(&b.0));
        // A word that occurs several times in a text counts once, with its mean.
        for group in words.chunk_by(|a, b| a.0 == b.0) {
            let mean = group.iter().map(|(_, weight)| weight).sum::<f64>() / group.len() as f64;
            let (sum, texts) = sums[label].entry(group[0].0.clone()).or_default();
            *sum += mean;
            *texts += 1;
        }
    }
    let largest = |sums: BTreeMap<String, (f64, usize)>| {
        let word = |(word, (sum, texts))| WeightedWord { word, weight: sum / texts as f64, texts };
        let mut words: Vec<WeightedWord> = sums.into_iter().map(word).collect();
        words.retain(|word| word.texts >= MIN_TEXTS && word.weight >= MIN_WEIGHT);
        words.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        words.truncate(MAX_WORDS);
        words
    };
    WordWeights { by_label: sums.into_iter().map(largest).collect(), texts: chosen.len() }
}

/// Returns the predicted label of a text, and its words in lower case with their weights for this label. Of a long
/// text, only every n-th word is left out and returned.
fn weigh_words(classify: Classify<'_>, text: &str) -> (usize, Vec<(String, f64)>) {
    let words = words(text);
    let stride = words.len().div_ceil(MAX_PARTS).max(1);
    let parts = weigh(classify, text, words.into_iter().step_by(stride).collect());
    let weights = parts.into_iter().map(|part| (text[part.place].to_lowercase(), part.weight)).collect();
    (classify(text).label(), weights)
}

/// Returns the weights of the parts of a text at `places`, ranges of bytes, for the label that `classify` predicts.
fn weigh(classify: Classify<'_>, text: &str, places: Vec<Range<usize>>) -> Vec<WeightedPart> {
    let with_all_parts = classify(text).log_probabilities();
    let label = crate::metrics::argmax(&with_all_parts);
    let weigh_part = |place: Range<usize>| {
        let without_part = format!("{}{}", &text[..place.start], &text[place.end..]);
        let odds_without = log_odds(&classify(&without_part).log_probabilities(), label);
        WeightedPart { place, weight: log_odds(&with_all_parts, label) - odds_without }
    };
    places.into_iter().map(weigh_part).collect()
}

/// Returns the log-odds of a label, ln(p/(1 - p)), from the log-probabilities of all labels.
fn log_odds(logs: &[f64], label: usize) -> f64 {
    let others = || logs.iter().enumerate().filter(|(index, _)| *index != label).map(|(_, log)| *log);
    let max = others().fold(f64::NEG_INFINITY, f64::max);
    // ln(1 - p), as the logarithm of the sum of the other probabilities.
    let log_of_others = max + others().map(|log| (log - max).exp()).sum::<f64>().ln();
    // The log-odds of p = 0 or 1 are infinite; with the limits, a difference of two log-odds is finite.
    (logs[label] - log_of_others).clamp(-700.0, 700.0)
}

/// Returns the ranges of bytes of the words in a text. A word is a run of letters, digits, apostrophes and underscores,
/// or a run of other characters without white space.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '_');
    // Neighbouring characters of the same kind are in the same range.
    let kind = |c: char| (c.is_whitespace(), is_of_word(c));
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut previous_kind = None;
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        match places.last_mut() {
            Some(place) if previous_kind == Some(kind(c)) => place.end = end,
            _ => places.push(start..end),
        }
        previous_kind = Some(kind(c));
    }
    // White space is in a range of its own.
    places.retain(|place| !text[place.clone()].starts_with(char::is_whitespace));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A classifier whose log-odds of "more" are the sum of the numbers in a text.
    fn sum(text: &str) -> Logits {
        let sum: f32 = text.split_whitespace().filter_map(|word| word.parse::<f32>().ok()).sum();
        Logits::Float(vec![0.0, sum])
    }

    #[test]
    fn the_weight_of_a_number_is_its_value() {
        let weights: Vec<f64> = parts(&sum, "7 and  2 ça").into_iter().map(|part| part.weight).collect();
        for (weight, expected) in weights.iter().zip([7.0, 0.0, 2.0, 0.0]) {
            assert!((weight - expected).abs() < 1e-5, "{weights:?}");
        }
        assert_eq!(parts(&sum, "").len(), 0);
        let long = "1 ".repeat(1000);
        let parts = parts(&sum, &long);
        assert!(parts.len() <= MAX_PARTS, "{}", parts.len());
        assert!(parts.windows(2).all(|pair| pair[0].place.end < pair[1].place.start));
    }

    #[test]
    fn the_table_lists_words_in_at_least_two_texts() {
        let texts = ["9 x 1", "9 y", "1 9 9", "5"];
        let examples: Vec<_> = texts.iter().map(|text| Example { text: (*text).into(), label: 1 }).collect();
        let words = most_influential(&sum, 2, &examples);
        assert_eq!((words.texts, words.by_label[0].len()), (4, 0));
        let found: Vec<_> = words.by_label[1].iter().map(|w| (w.word.as_str(), w.weight.round(), w.texts)).collect();
        assert_eq!(found, [("9", 9.0, 3), ("1", 1.0, 2)]);
    }

    #[test]
    fn words_end_at_spaces_and_signs() {
        let split = |text: &str| words(text).into_iter().map(|place| text[place].to_owned()).collect::<Vec<_>>();
        assert_eq!(split("don't stop, größer :-) 5%"), ["don't", "stop", ",", "größer", ":-)", "5", "%"]);
        assert!(split(" \n ").is_empty());
    }
}

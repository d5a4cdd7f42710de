//! The accuracy of simple rules on the messages, none of which depends on the order of words: the most frequent class,
//! single keywords, and naive Bayes.
//!
//! A model is useful only if it is more accurate than these rules. [`Baselines::measure`] fits them to one set of
//! messages and measures them on another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Label, Message};

const CLASSES: usize = Label::ALL.len();

/// The accuracy of each rule, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Baselines {
    /// Every message gets the most frequent class of the training messages.
    pub majority: f64,
    /// One keyword for each class, found by hill climbing; a message without a keyword gets the most frequent class
    /// among such training messages.
    pub keyword_per_class: f64,
    /// Every message gets the class of its most indicative token: the token that occurs in one class most exclusively.
    pub best_token: f64,
    /// Naive Bayes over the set of tokens.
    pub naive_bayes: f64,
}

impl Baselines {
    /// Fits each rule to `train` and measures it on `test`.
    pub fn measure(train: &[Message], test: &[Message]) -> Self {
        let (train, test) = (Corpus::new(train), Corpus::new(test));
        let counts = train.token_counts();
        let classes = train.class_counts();
        let majority = largest(&classes.map(f64::from));
        let keywords = keyword_per_class(&train, &counts);
        Baselines {
            majority: test.accuracy(|_| majority),
            keyword_per_class: test.accuracy(|tokens| keywords.class(tokens)),
            best_token: test.accuracy(|tokens| best_token(tokens, &counts).unwrap_or(majority)),
            naive_bayes: test.accuracy(|tokens| naive_bayes(tokens, &counts, &classes)),
        }
    }
}

/// Returns the distinct tokens of a text: runs of letters, digits and underscores in lower case, and each other
/// character but white space.
fn tokens(text: &str) -> BTreeSet<String> {
    let mut tokens = BTreeSet::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            tokens.insert(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            tokens.insert(c.to_string());
        }
    }
    tokens
}

/// For each token, the number of messages of each class that contain it.
type Counts = BTreeMap<String, [u32; CLASSES]>;

/// The tokens of a message, and the index of its class in [`Label::ALL`].
struct Example {
    tokens: BTreeSet<String>,
    class: usize,
}

/// The examples of some messages.
struct Corpus(Vec<Example>);

impl Corpus {
    fn new(messages: &[Message]) -> Self {
        Corpus(messages.iter().map(|m| Example { tokens: tokens(&m.text), class: m.label as usize }).collect())
    }

    fn token_counts(&self) -> Counts {
        let mut counts = Counts::new();
        for Example { tokens, class } in &self.0 {
            for token in tokens {
                counts.entry(token.clone()).or_default()[*class] += 1;
            }
        }
        counts
    }

    fn class_counts(&self) -> [u32; CLASSES] {
        let mut counts = [0; CLASSES];
        for example in &self.0 {
            counts[example.class] += 1;
        }
        counts
    }

    /// Returns the share of messages for which `rule` returns the class of the message, 0 to 1.
    fn accuracy(&self, rule: impl Fn(&BTreeSet<String>) -> usize) -> f64 {
        let right = self.0.iter().filter(|example| rule(&example.tokens) == example.class).count();
        right as f64 / self.0.len() as f64
    }
}

/// The rule [`Baselines::keyword_per_class`]. The keywords are tried in the order of the classes.
#[derive(Clone, Default)]
struct Keywords {
    /// The keyword of each class; none if no keyword has improved the accuracy.
    words: [Option<String>; CLASSES],
    /// The class of messages without a keyword.
    otherwise: usize,
}

impl Keywords {
    /// Returns the class of a message with these tokens.
    fn class(&self, tokens: &BTreeSet<String>) -> usize {
        self.class_of_keyword(tokens).unwrap_or(self.otherwise)
    }

    /// Returns the first class whose keyword is among the tokens.
    fn class_of_keyword(&self, tokens: &BTreeSet<String>) -> Option<usize> {
        let occurs = |word: &Option<String>| word.as_ref().is_some_and(|word| tokens.contains(word));
        self.words.iter().position(occurs)
    }

    /// Sets `otherwise` to the most frequent class of the messages without a keyword. Returns the number of correctly
    /// classified messages of `train`.
    fn fit(&mut self, train: &Corpus) -> u32 {
        let (mut right, mut without_keyword) = (0, [0_u32; CLASSES]);
        for Example { tokens, class } in &train.0 {
            match self.class_of_keyword(tokens) {
                Some(found) => right += u32::from(found == *class),
                None => without_keyword[*class] += 1,
            }
        }
        self.otherwise = largest(&without_keyword.map(f64::from));
        right + without_keyword[self.otherwise]
    }
}

/// The number of keywords that are tried for each class: those that separate the class best without other keywords.
const CANDIDATES: usize = 40;

/// Fits keywords by hill climbing: replaces one keyword at a time until no replacement by one of the [`CANDIDATES`]
/// increases the accuracy on `train`.
fn keyword_per_class(train: &Corpus, counts: &Counts) -> Keywords {
    let mut best = Keywords::default();
    let mut best_score = 0;
    loop {
        let score_before = best_score;
        for class in 0..CLASSES {
            let mut words: Vec<_> = counts.iter().collect();
            // The sort key is the number of messages with the word in other classes minus the number in this class.
            words.sort_by_key(|(_, by_class)| i64::from(by_class.iter().sum::<u32>()) - 2 * i64::from(by_class[class]));
            for (word, _) in words.into_iter().take(CANDIDATES) {
                let mut rule = best.clone();
                rule.words[class] = Some(word.clone());
                let score = rule.fit(train);
                if score > best_score {
                    (best, best_score) = (rule, score);
                }
            }
        }
        if best_score == score_before {
            return best;
        }
    }
}

/// Returns the class of the token whose messages are most exclusively of one class: the token with the largest share of
/// one class, with 1 added to its count for each class. `None` if all tokens are unknown.
fn best_token(tokens: &BTreeSet<String>, counts: &Counts) -> Option<usize> {
    let known = tokens.iter().filter_map(|token| counts.get(token));
    let shares_and_classes = known.map(|by_class| {
        let class = largest(&by_class.map(f64::from));
        let total: u32 = by_class.iter().sum();
        (f64::from(by_class[class] + 1) / f64::from(total + CLASSES as u32), class)
    });
    shares_and_classes.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, class)| class)
}

/// Returns the class with the largest product of its frequency and, for each known token, the share of its messages
/// that contain the token. 0.5 is added to the number of messages with the token and to the number without it, so that
/// no share is 0. `classes`: the number of messages of each class.
fn naive_bayes(tokens: &BTreeSet<String>, counts: &Counts, classes: &[u32; CLASSES]) -> usize {
    // Logarithms, so that products become sums. The frequencies need not be divided by their total.
    let mut scores = classes.map(|n| f64::from(n).ln());
    for by_class in tokens.iter().filter_map(|token| counts.get(token)) {
        for class in 0..CLASSES {
            let share = (f64::from(by_class[class]) + 0.5) / f64::from(classes[class] + 1);
            scores[class] += share.ln();
        }
    }
    largest(&scores)
}

/// Returns the index of the largest value, the last of equal ones.
fn largest(values: &[f64; CLASSES]) -> usize {
    (0..CLASSES).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, label: Label) -> Message {
        Message { text: text.into(), label }
    }

    #[test]
    fn tokens_are_words_and_marks() {
        let found: Vec<_> = tokens("FIRE, AHU-3B x_1!! fire").into_iter().collect();
        assert_eq!(found, ["!", ",", "-", "3b", "ahu", "fire", "x_1"]);
    }

    #[test]
    fn all_rules_find_a_word_that_names_the_class() {
        let mut messages = Vec::new();
        for label in Label::ALL {
            for place in ["here", "there", "now"] {
                messages.push(message(&format!("{} {place}", label.name()), label));
            }
        }
        let all = Baselines::measure(&messages, &messages);
        assert_eq!(all.majority, 0.2);
        assert_eq!((all.keyword_per_class, all.best_token, all.naive_bayes), (1.0, 1.0, 1.0));
    }

    #[test]
    fn no_rule_depends_on_the_order_of_words() {
        let messages = [message("no it works", Label::Status), message("it works no", Label::Alarm)];
        let all = Baselines::measure(&messages, &messages);
        assert_eq!((all.keyword_per_class, all.best_token, all.naive_bayes), (0.5, 0.5, 0.5));
    }
}

//! Language models: which token comes next.
//!
//! A model learns from one text. It reads windows of it, each after some tokens of context that fill its state, and at
//! every token of a window it says what follows. Windows are dealt out in random order, so that a batch is not all of one
//! place; the state is not carried from batch to batch. Held-out text, and text that is being written, is read without
//! an end, the state going on from token to token.

mod generation;
mod language_page;
mod surprises;
mod text_training;

pub use generation::{Joiner, Sampling, Writer, next_tokens};
pub use surprises::{Language, Surprise};
pub use text_training::Novel;

use crate::embeddings::{self, Embeddings, EmbeddingsError};
use crate::float_model::Config;
use crate::model::Sequential;
use crate::recipe::Recipe;
use crate::task::Task;
use crate::train::{Guess, NO_TOKEN, Objective, Problem, Sample, Steps, Target, Units, Validation};
use crate::vocabulary::{UNK, Vocabulary};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Why a text cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("{}: byte {byte} is not UTF-8, expected a UTF-8 text; convert it, for example with `iconv -f latin1 -t utf-8`", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where.
        byte: usize,
    },
    /// There is too little of it.
    #[error("{}: {found} tokens {what}, expected {expected} or more", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        what: &'static str,
        /// Tokens that there are.
        found: usize,
        /// Tokens that there must be.
        expected: usize,
    },
    /// No token is frequent enough.
    #[error("{}: no token occurs {min_count} times or more, so the vocabulary would be empty; lower min_count", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// How often a token must occur.
        min_count: usize,
    },
    /// The vectors that the recipe names cannot be used.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
}

/// The data of a training.
#[derive(Clone, Debug)]
pub struct PreparedText {
    /// The tokens that get an id.
    pub vocabulary: Vocabulary,
    /// What is to be learnt.
    pub problem: Problem,
    /// Tokens to learn from.
    pub tokens: usize,
    /// How many of them are not in the vocabulary.
    pub unknown: usize,
    /// The text to learn from.
    pub train: String,
    /// The text that is held out.
    pub valid: String,
    /// Tokens of a window.
    window: usize,
}

/// Reads a text.
///
/// # Errors
///
/// Where it cannot be read or is not UTF-8.
pub fn read(path: &Path) -> Result<String, LanguageError> {
    let bytes = std::fs::read(path).map_err(|source| LanguageError::Io { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| LanguageError::NotUtf8 { path: path.to_owned(), byte: error.utf8_error().valid_up_to() })?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

/// Reads the recipe's text, holds its end out where it names no text for it, and builds the vocabulary from the rest.
///
/// # Errors
///
/// See [`LanguageError`].
pub fn prepare(recipe: &Recipe) -> Result<PreparedText, LanguageError> {
    let path = &recipe.data.train;
    let mut train = read(path)?;
    let (valid, valid_path) = match &recipe.data.valid {
        Some(valid) => (read(valid)?, valid),
        None => (train.split_off(cut(&train, recipe.data.valid_fraction)), path),
    };
    let min_count = recipe.vocabulary.min_count;
    let (tokenizer, most) = (recipe.tokenizer.tokenizer(), Some(recipe.vocabulary.max_size));
    let vocabulary = Vocabulary::build_for(tokenizer, [train.as_str()].into_iter(), min_count, most);
    if vocabulary.len() == 2 {
        return Err(LanguageError::NoTokens { path: path.clone(), min_count });
    }
    let ids = vocabulary.encode(&train);
    let held_out = vocabulary.encode(&valid);
    let window = recipe.language_model.window;
    for (path, what, found, expected) in
        [(path, "to learn from", ids.len(), window + 1), (valid_path, "held out", held_out.len(), 2)]
    {
        if found < expected {
            return Err(LanguageError::TooShort { path: path.clone(), what, found, expected });
        }
    }
    let embeddings = embeddings::of_recipe(recipe, &vocabulary)?;
    let mut model = recipe.model.clone();
    model.embedding = embeddings.as_ref().map_or(model.embedding, Embeddings::width);
    let problem = Problem {
        architecture: model.architecture(vocabulary.len(), vocabulary.len()),
        objective: Objective::NextToken,
        train: windows(&ids, window, recipe.language_model.context),
        valid: vec![Sample { target: Target::Tokens(held_out[1..].to_vec()), steps: Steps::Tokens(held_out) }],
        units: Units { characters: valid.chars().count(), scale: Vec::new() },
        embeddings,
        cut: 0,
    };
    let unknown = ids.iter().filter(|id| **id == UNK).count();
    Ok(PreparedText { vocabulary, problem, tokens: ids.len(), unknown, train, valid, window })
}

/// Where the held-out end of a text begins: after a line break or, where there is none near, a white space.
fn cut(text: &str, fraction: f64) -> usize {
    let at = (text.len() as f64 * (1.0 - fraction)) as usize;
    let at = (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    // From the character before on: `at` may be where a line begins.
    let from = text[..at].char_indices().next_back().map_or(0, |(from, _)| from);
    let after = |is_end: fn(char) -> bool| {
        let found = text[from..].char_indices().find(|&(_, c)| is_end(c));
        found.map(|(near, c)| from + near + c.len_utf8()).filter(|&cut| cut < text.len())
    };
    let line = after(|c| c == '\n').filter(|&cut| cut - at < 1000);
    line.or_else(|| after(char::is_whitespace)).unwrap_or(at)
}

/// Windows of `window` tokens, each after `context` tokens that are read and not learnt. Every token but the first is
/// learnt once.
fn windows(ids: &[u32], window: usize, context: usize) -> Vec<Sample> {
    let starts = (0..ids.len() - 1).step_by(window);
    starts
        .map(|start| {
            let end = (start + window).min(ids.len() - 1);
            let begin = start.saturating_sub(context);
            let mut next = ids[begin + 1..=end].to_vec();
            next[..start - begin].fill(NO_TOKEN);
            Sample { steps: Steps::Tokens(ids[begin..end].to_vec()), target: Target::Tokens(next) }
        })
        .collect()
}

impl PreparedText {
    /// The first and the last line of the text that a window is learnt from, from 1.
    pub fn lines(&self, window: usize) -> (usize, usize) {
        let ends: Vec<usize> = self
            .train
            .split_inclusive('\n')
            .scan(0, |end, line| {
                *end += line.len();
                Some(*end)
            })
            .collect();
        // Tokens do not go on over the end of a line, so that a line ends with the same tokens wherever the text does.
        let line =
            |token: usize| 1 + ends.partition_point(|&end| self.vocabulary.encode(&self.train[..end]).len() <= token);
        let first = window * self.window;
        (line(first), line((first + self.window).min(self.tokens - 1)))
    }

    /// The configuration of the model.
    pub fn config(&self, name: &str) -> Config {
        Config::of(name, Task::LanguageModel, &self.problem.architecture)
    }
}

/// Of how many of the likeliest tokens the figures tell how often the right one is among them.
const K_BEST: [usize; 6] = [1, 2, 3, 5, 10, 20];

/// How a model does on a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFigures {
    /// Tokens of the text.
    pub tokens: usize,
    /// How many of them the model does not know. It says that such a token comes, and not which.
    pub unknown: usize,
    /// Characters of the text.
    pub characters: usize,
    /// Its bytes.
    pub bytes: usize,
    /// What the model makes of it.
    pub figures: Validation,
    /// Numbers of tokens, and how often the right one is among so many of the likeliest.
    pub k_best: Vec<(usize, f64)>,
}

/// How a model does on a text; `None` of a text of fewer than two tokens.
pub fn evaluate(model: &dyn Sequential, text: &str) -> Option<TextFigures> {
    let ids = model.vocabulary().encode(text);
    (ids.len() > 1).then(|| TextFigures::new(&ids, text, &model.guesses(&ids)))
}

impl TextFigures {
    /// Of a text of two tokens or more, from what a model made of each.
    pub fn new(ids: &[u32], text: &str, guesses: &[Guess]) -> Self {
        let characters = text.chars().count();
        let among = |k| guesses.iter().filter(|guess| guess.above < k).count() as f64 / guesses.len().max(1) as f64;
        TextFigures {
            tokens: ids.len(),
            unknown: ids.iter().filter(|id| **id == UNK).count(),
            characters,
            bytes: text.len(),
            figures: Validation::of_language(guesses, ids.len(), characters),
            k_best: K_BEST.into_iter().map(|k| (k, among(k))).collect(),
        }
    }

    /// For `metrics.json` and `tern eval --json`.
    pub fn to_json(&self) -> Value {
        let bits = self.figures.bits_per_character.unwrap_or(f64::NAN);
        json!({
            "tokens": self.tokens,
            "unknown": self.unknown,
            "characters": self.characters,
            "bytes": self.bytes,
            "loss": self.figures.loss,
            "perplexity": self.figures.perplexity,
            "bits_per_character": bits,
            "bits_per_byte": bits * self.characters as f64 / self.bytes as f64,
            "bits_per_token": self.figures.loss / std::f64::consts::LN_2,
            "accuracy": self.figures.accuracy,
            "top_5_accuracy": self.figures.top_5,
            "k_best": self.k_best.iter().map(|(k, share)| (k.to_string(), json!(share))).collect::<Map<_, _>>(),
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let figures = &self.figures;
        let share = 100.0 * self.unknown as f64 / self.tokens as f64;
        let mut lines = vec![
            format!(
                "{} tokens, {} of them unknown ({share:.1} %); {} characters",
                self.tokens, self.unknown, self.characters
            ),
            format!("loss                {:.4} nats a token", figures.loss),
            format!("perplexity          {:.2}", figures.perplexity.unwrap_or(f64::NAN)),
            format!("bits per character  {:.4}", figures.bits_per_character.unwrap_or(f64::NAN)),
            format!("next token right    {:.4}", figures.accuracy.unwrap_or(f64::NAN)),
            format!("among the best 5    {:.4}", figures.top_5.unwrap_or(f64::NAN)),
        ];
        if self.unknown > 0 {
            lines.push("an unknown token costs what it costs to say that one comes, not which: with many of them the bits flatter".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_learn_every_token_once() {
        let ids: Vec<u32> = (2..25).collect();
        let samples = windows(&ids, 5, 3);
        let mut learnt = Vec::new();
        for sample in &samples {
            let Target::Tokens(next) = &sample.target else { panic!("tokens") };
            let read = sample.steps.tokens();
            assert_eq!(read.len(), next.len());
            for (&read, &next) in read.iter().zip(next) {
                assert!(next == NO_TOKEN || next == read + 1);
                learnt.extend((next != NO_TOKEN).then_some(next));
            }
        }
        assert_eq!(learnt, ids[1..]);
        assert_eq!((samples[0].steps.len(), samples[1].steps.len()), (5, 8));
        assert_eq!(samples[1].target.count(), 5);
    }

    /// A text of sixty lines, prepared by a recipe that `set` changes.
    fn prepared(set: impl FnOnce(&mut Recipe, &Path)) -> Result<PreparedText, LanguageError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.txt");
        let line = |index: usize| format!("The <b>{}</b> drinks :-) rain\n", ["cat", "dog", "bird"][index % 3]);
        std::fs::write(&path, (0..60).map(line).collect::<String>()).unwrap();
        let mut recipe = Recipe::for_task(&path, Task::LanguageModel);
        recipe.language_model.window = 8;
        set(&mut recipe, dir.path());
        prepare(&recipe)
    }

    #[test]
    fn the_text_is_cut_by_the_recipes_tokenizer() {
        use crate::recipe::TokenizerKind::{Bytes, Chars, HtmlWords, Whitespace, WordPiece, Words};
        for (kind, name, token) in [
            (Words, "words", "drinks"),
            (Whitespace, "whitespace", "<b>dog</b>"),
            (HtmlWords, "html_words", ":-)"),
            (Chars, "chars", "d"),
            (Bytes, "bytes", "Ġ"),
            (WordPiece, "wordpiece", "drinks"),
        ] {
            let data = prepared(|recipe, _| recipe.tokenizer.kind = kind).unwrap();
            let tokens = data.vocabulary.tokens();
            assert!(data.vocabulary.tokenizer().name().starts_with(name), "{name}");
            assert!(tokens.iter().any(|known| known == token), "{name}: {tokens:?}");
            // What the network reads is what the vocabulary makes of the text.
            let ids = data.vocabulary.encode(&data.train);
            assert_eq!(data.tokens, ids.len());
            assert_eq!(data.problem.train[0].steps.tokens(), &ids[..8]);
            assert_eq!(data.problem.valid[0].steps.tokens(), data.vocabulary.encode(&data.valid));
            assert_eq!(data.problem.architecture.head.outputs, tokens.len());
        }
    }

    #[test]
    fn vectors_of_a_file_set_the_width_and_wrong_ones_are_refused() {
        let with = |width: usize| {
            prepared(|recipe, dir| {
                let path = dir.join("vectors.txt");
                std::fs::write(&path, "dog 1 0 .5\nrain 0 1 0\n").unwrap();
                (recipe.model.embeddings, recipe.model.embedding) = (Some(path), width);
            })
        };
        let data = with(0).unwrap();
        assert_eq!(data.problem.architecture.input.width(), 3);
        assert_eq!(data.problem.embeddings.unwrap().vectors().count(), 2);
        let error = with(64).unwrap_err().to_string();
        assert!(error.contains("vectors of 3 numbers, but [model] embedding is 64"), "{error}");
    }

    #[test]
    fn a_window_is_found_again_in_the_file() {
        let data = prepared(|recipe, _| recipe.tokenizer.kind = crate::recipe::TokenizerKind::Whitespace).unwrap();
        // Five tokens a line: a window of eight from token 16 on is learnt, the next one from 24 on.
        assert_eq!((data.lines(0), data.lines(2), data.lines(3)), ((1, 2), (4, 5), (5, 7)));
    }

    #[test]
    fn the_end_of_a_text_is_held_out_from_a_line_on() {
        let text = "one two\nthree four\nfive six\nseven eight\n";
        assert_eq!(&text[cut(text, 0.3)..], "seven eight\n");
        assert_eq!(&"one two three four"[cut("one two three four", 0.4)..], "four");
        assert_eq!(cut("ééé", 0.5), 2, "no white space: between characters");
    }
}

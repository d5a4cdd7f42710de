//! Pretrained embeddings: text files as of GloVe and word2vec, or a NumPy array with a list of words.
//!
//! A token takes the vector of the first of these that the file has: the same word, the token in lower case, the first
//! word that differs only in case. Tokens without a vector are initialised at random with the standard deviation of the
//! vectors found. If the recipe freezes embeddings, the vectors found stay unchanged; the other rows are trained, UNK
//! included.

mod glove;
mod npy;

use crate::recipe::Recipe;
use crate::vocabulary::{PAD, Vocabulary};
use crate::weights::Array;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The errors of pretrained embeddings.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A line of a text file is wrong.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
    /// The NumPy array or its list of words is wrong.
    #[error("{}: {problem}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The width of the vectors differs from the recipe's.
    #[error("{}: vectors of {found} numbers, but [model] embedding_dim is {expected}; leave it out or set it to {found}", path.display())]
    Width {
        /// The file.
        path: PathBuf,
        /// Width of the vectors.
        found: usize,
        /// Width in the recipe.
        expected: usize,
    },
    /// No token has a vector.
    #[error("{}: none of its {words} words is a token of the vocabulary, expected vectors for the language and tokenizer of the data", path.display())]
    NoneFound {
        /// The file.
        path: PathBuf,
        /// Words in the file.
        words: usize,
    },
}

/// The ways in which a word of the file matches a token, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The word differs in case and is not in lower case.
    AnyCase,
    /// The word is the token in lower case.
    LowerCase,
    /// The word is the token.
    Exact,
}

/// The pretrained vectors of a vocabulary's tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    width: usize,
    frozen: bool,
    rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

/// The parts of a vocabulary and of a text that have vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// Number of tokens of the vocabulary with a vector.
    pub found: usize,
    /// Number of these whose word in the file has another case.
    pub other_case: usize,
    /// Number of tokens of the vocabulary without PAD and UNK.
    pub vocabulary_size: usize,
    /// Fraction of the text's tokens with a vector.
    pub text_fraction: f64,
}

/// Reads the embeddings of a recipe; `None` if it has none.
///
/// # Errors
///
/// See [`EmbeddingsError`].
pub fn of_recipe(recipe: &Recipe, vocabulary: &Vocabulary) -> Result<Option<Embeddings>, EmbeddingsError> {
    let Some(path) = &recipe.model.embeddings else { return Ok(None) };
    let mut embeddings = read(path, vocabulary)?;
    embeddings.frozen = recipe.model.freeze_embeddings;
    match recipe.model.embedding_dim {
        0 => Ok(Some(embeddings)),
        width if width == embeddings.width => Ok(Some(embeddings)),
        expected => Err(EmbeddingsError::Width { path: path.clone(), found: embeddings.width, expected }),
    }
}

/// Reads the vectors of a vocabulary's tokens.
///
/// `path` is a NumPy array (`.npy`) with its words in a file of the same name with `.txt`, one a line; or a text file
/// with a word and its numbers on each line, and an optional first line of two integers.
///
/// # Errors
///
/// See [`EmbeddingsError`].
pub fn read(path: &Path, vocabulary: &Vocabulary) -> Result<Embeddings, EmbeddingsError> {
    let mut search = VectorSearch::new(vocabulary);
    let is_array = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let (width, words) = if is_array { npy::read(path, &mut search)? } else { glove::read(path, &mut search)? };
    if search.rows.is_empty() {
        return Err(EmbeddingsError::NoneFound { path: path.to_owned(), words });
    }
    Ok(Embeddings { width, frozen: false, rows: search.rows })
}

/// The best vectors found so far while a file is read.
struct VectorSearch<'v> {
    vocabulary: &'v Vocabulary,
    /// The ids of tokens by their lower case.
    by_lower_case: HashMap<String, Vec<u32>>,
    rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

fn lower_case(word: &str) -> String {
    word.chars().flat_map(tern_runtime::text::lowercase).collect()
}

impl<'v> VectorSearch<'v> {
    fn new(vocabulary: &'v Vocabulary) -> Self {
        let mut by_lower_case: HashMap<String, Vec<u32>> = HashMap::new();
        for (id, token) in vocabulary.tokens().iter().enumerate().skip(2) {
            by_lower_case.entry(lower_case(token)).or_default().push(id as u32);
        }
        VectorSearch { vocabulary, by_lower_case, rows: BTreeMap::new() }
    }

    /// Considers a word of the file. `vector` is called for each token that the word matches better than all words
    /// before it.
    fn offer<E>(&mut self, word: &str, vector: impl Fn() -> Result<Vec<f32>, E>) -> Result<(), E> {
        let lower = lower_case(word);
        for &id in self.by_lower_case.get(&lower).into_iter().flatten() {
            let fit = match () {
                () if self.vocabulary.tokens()[id as usize] == word => Fit::Exact,
                () if lower == word => Fit::LowerCase,
                () => Fit::AnyCase,
            };
            if self.rows.get(&id).is_none_or(|(present, _)| *present < fit) {
                self.rows.insert(id, (fit, vector()?));
            }
        }
        Ok(())
    }
}

impl Embeddings {
    /// Width of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns true if the vectors must not change in training.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Iterates over the vectors, sorted by token id.
    pub fn vectors(&self) -> impl Iterator<Item = (u32, &[f32])> {
        self.rows.iter().map(|(&id, (_, vector))| (id, vector.as_slice()))
    }

    /// Counts the tokens with a vector in `vocabulary` and in a text, given as `ids`.
    pub fn coverage<'i>(&self, vocabulary: &Vocabulary, ids: impl Iterator<Item = &'i u32>) -> Coverage {
        let (mut covered, mut all) = (0usize, 0usize);
        for id in ids {
            covered += usize::from(self.rows.contains_key(id));
            all += 1;
        }
        Coverage {
            found: self.rows.len(),
            other_case: self.rows.values().filter(|(fit, _)| *fit != Fit::Exact).count(),
            vocabulary_size: vocabulary.len() - 2,
            text_fraction: if all == 0 { 0.0 } else { covered as f64 / all as f64 },
        }
    }

    /// Overwrites the rows of `table` that have a vector, and scales the others, except PAD, to the standard deviation
    /// of the vectors.
    ///
    /// `table`, `[vocab_size, width]`, holds random rows with mean 0 and standard deviation `std`.
    pub fn initialise(&self, table: &mut Array, std: f32) {
        let values = || self.rows.values().flat_map(|(_, row)| row).map(|&value| f64::from(value));
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        let spread = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let factor = (spread / f64::from(std)) as f32;
        for (id, row) in table.data.chunks_exact_mut(self.width).enumerate() {
            match self.rows.get(&(id as u32)) {
                Some((_, vector)) => row.copy_from_slice(vector),
                None if id == PAD as usize => {}
                None => row.iter_mut().for_each(|value| *value *= factor),
            }
        }
    }

    /// Sets the gradients of frozen rows to zero, so that they do not contribute to the gradient norm.
    pub fn zero_frozen_gradients(&self, gradients: &mut [f32]) {
        for &id in self.rows.keys().filter(|_| self.frozen) {
            gradients[id as usize * self.width..][..self.width].fill(0.0);
        }
    }

    /// Resets frozen rows to their vectors after a step, weight decay or averaging.
    pub fn reset_frozen(&self, table: &mut Array) {
        for (&id, (_, vector)) in self.rows.iter().filter(|_| self.frozen) {
            table.data[id as usize * self.width..][..self.width].copy_from_slice(vector);
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Coverage { found, other_case, vocabulary_size, text_fraction } = *self;
        let share = 100.0 * found as f64 / vocabulary_size.max(1) as f64;
        write!(f, "{found} of {vocabulary_size} tokens of the vocabulary ({share:.1}%), ")?;
        write!(f, "{:.1}% of the text's tokens; {other_case} in another case", 100.0 * text_fraction)
    }
}

#[cfg(test)]
mod tests;

//! Embeddings that others trained: GloVe and word2vec text, or a NumPy array with its words.
//!
//! A token takes the vector of the very same word, of the word in lower case where that is missing, or of the first word that differs in
//! case alone. Tokens that the file lacks begin at random, as widely spread as the vectors found. Where the recipe freezes
//! embeddings, the rows that were found keep their bits; the others learn, UNK among them.

mod array;
mod text;

use crate::recipe::Recipe;
use crate::vocabulary::{PAD, Vocabulary};
use crate::weights::Array;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Why embeddings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is no word with its vector.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The array cannot be used.
    #[error("{}: {problem}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The vectors have another width than the recipe asks for.
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
    #[error("{}: none of the {words} words there is a token of the vocabulary; do language and tokenizer fit?", path.display())]
    NoneFound {
        /// The file.
        path: PathBuf,
        /// Words in the file.
        words: usize,
    },
}

/// How well a word of the file fits a token; greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Differs in case, and is not in lower case.
    AnyCase,
    /// Is the token's lower case.
    LowerCase,
    /// Is the token.
    Exact,
}

/// Vectors of tokens of a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    width: usize,
    frozen: bool,
    rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

/// How much of a vocabulary and of a text has a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// Tokens of the vocabulary with a vector.
    pub found: usize,
    /// Of these, those whose word in the file has another case.
    pub other_case: usize,
    /// Tokens of the vocabulary, PAD and UNK not counted.
    pub vocabulary: usize,
    /// Share of the running tokens with a vector.
    pub running: f64,
}

/// The embeddings that a recipe asks for; none where it asks for none.
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

/// Reads the vectors of a vocabulary's tokens: a NumPy array (`.npy`) whose words stand in a file of the same name with `.txt`, one
/// a line; or text, a word and its numbers a line, with a first line of two integers or without.
///
/// # Errors
///
/// See [`EmbeddingsError`].
pub fn read(path: &Path, vocabulary: &Vocabulary) -> Result<Embeddings, EmbeddingsError> {
    let mut wanted = Wanted::new(vocabulary);
    let is_array = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let (width, words) = if is_array { array::read(path, &mut wanted)? } else { text::read(path, &mut wanted)? };
    if wanted.rows.is_empty() {
        return Err(EmbeddingsError::NoneFound { path: path.to_owned(), words });
    }
    Ok(Embeddings { width, frozen: false, rows: wanted.rows })
}

/// The tokens that wait for a vector.
struct Wanted<'v> {
    vocabulary: &'v Vocabulary,
    /// Ids by the token's lower case.
    by_lower_case: HashMap<String, Vec<u32>>,
    rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

fn lower_case(word: &str) -> String {
    word.chars().flat_map(tern_runtime::text::lowercase).collect()
}

impl<'v> Wanted<'v> {
    fn new(vocabulary: &'v Vocabulary) -> Self {
        let mut by_lower_case: HashMap<String, Vec<u32>> = HashMap::new();
        for (id, token) in vocabulary.tokens().iter().enumerate().skip(2) {
            by_lower_case.entry(lower_case(token)).or_default().push(id as u32);
        }
        Wanted { vocabulary, by_lower_case, rows: BTreeMap::new() }
    }

    /// Offers a word. `vector` is asked for only where a token has nothing better.
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
    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the rows that were found must not change.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// The vectors and the ids of their tokens, which rise.
    pub fn vectors(&self) -> impl Iterator<Item = (u32, &[f32])> {
        self.rows.iter().map(|(&id, (_, vector))| (id, vector.as_slice()))
    }

    /// How much has a vector: of `vocabulary`, and of running ids.
    pub fn coverage<'i>(&self, vocabulary: &Vocabulary, ids: impl Iterator<Item = &'i u32>) -> Coverage {
        let (mut covered, mut all) = (0usize, 0usize);
        for id in ids {
            covered += usize::from(self.rows.contains_key(id));
            all += 1;
        }
        Coverage {
            found: self.rows.len(),
            other_case: self.rows.values().filter(|(fit, _)| *fit != Fit::Exact).count(),
            vocabulary: vocabulary.len() - 2,
            running: if all == 0 { 0.0 } else { covered as f64 / all as f64 },
        }
    }

    /// Puts the vectors into a table `[vocab_size, width]` of random rows of mean 0 and standard deviation `std`. The random rows
    /// that stay become as widely spread as the vectors are.
    pub fn start(&self, table: &mut Array, std: f32) {
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

    /// Where rows are frozen: makes their gradients zero, so that they do not count in the norm of all.
    pub fn hold_gradients(&self, gradients: &mut [f32]) {
        for &id in self.rows.keys().filter(|_| self.frozen) {
            gradients[id as usize * self.width..][..self.width].fill(0.0);
        }
    }

    /// Where rows are frozen: undoes what a step, a decay or an average did to them.
    pub fn hold(&self, table: &mut Array) {
        for (&id, (_, vector)) in self.rows.iter().filter(|_| self.frozen) {
            table.data[id as usize * self.width..][..self.width].copy_from_slice(vector);
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Coverage { found, other_case, vocabulary, running } = *self;
        let share = 100.0 * found as f64 / vocabulary.max(1) as f64;
        write!(f, "{found} of {vocabulary} tokens of the vocabulary ({share:.1}%), ")?;
        write!(f, "{:.1}% of the running tokens; {other_case} by another case", 100.0 * running)
    }
}

#[cfg(test)]
mod tests;

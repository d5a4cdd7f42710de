//! Pretrained embeddings from text files in the formats of GloVe and word2vec, or from a NumPy array with a list of
//! words.
//!
//! A token gets the vector of the same word. If the file lacks that word, the token gets the vector of the token in
//! lower case, or else that of the first word that differs from the token only in case. The rows of tokens without a
//! vector, except PAD, are initialised at random, with the standard deviation of the vectors found. If the recipe
//! freezes embeddings, the vectors found stay unchanged, and the other rows, that of UNK among them, are trained.

mod glove;
mod npy;
mod reduce;
mod vector_search;

use crate::recipe::Recipe;
use crate::vocabulary::{PAD, RESERVED_IDS, Vocabulary};
use crate::weights::Array;
use anyhow::bail;
use std::collections::BTreeMap;
use std::path::Path;
use vector_search::{Fit, VectorSearch};

/// The pretrained vectors of a vocabulary's tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// The length of a vector.
    width: usize,
    /// True if the vectors must not change in training.
    frozen: bool,
    /// The vector of each token id that has one, with the way in which its word matches the token.
    rows: BTreeMap<u32, (Fit, Vec<f32>)>,
}

/// Reads the pretrained embeddings that a recipe names; `None` if it names none. Vectors longer than the recipe's
/// `embedding_dim` are reduced to it by principal component analysis; an `embedding_dim` of 0 stands for the length of
/// the vectors. Fails if the file cannot be read, has no vector for the vocabulary, or has vectors shorter than
/// `embedding_dim`.
pub fn of_recipe(recipe: &Recipe, vocabulary: &Vocabulary) -> anyhow::Result<Option<Embeddings>> {
    let Some(path) = &recipe.model.embeddings else { return Ok(None) };
    let mut embeddings = Embeddings { frozen: recipe.model.freeze_embeddings, ..read(path, vocabulary)? };
    let (found, wanted) = (embeddings.width, recipe.model.embedding_dim());
    if wanted > found {
        bail!(
            "{}: vectors of {found} numbers, but [model] embedding_dim is {wanted}, expected {found} at most",
            path.display()
        );
    }
    if wanted != 0 && wanted < found {
        let mut vectors: Vec<&mut Vec<f32>> = embeddings.rows.values_mut().map(|(_, vector)| vector).collect();
        reduce::reduce(&mut vectors, wanted);
        embeddings.width = wanted;
    }
    Ok(Some(embeddings))
}

/// Reads the vectors of a vocabulary's tokens; they are not frozen.
///
/// `path` is a NumPy array (`.npy`), whose words are in a file of the same name that ends in `.txt`, one on each line;
/// or a text file with a word and its numbers on each line, and an optional first line of two integers.
fn read(path: &Path, vocabulary: &Vocabulary) -> anyhow::Result<Embeddings> {
    let mut search = VectorSearch::new(vocabulary);
    let is_array = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let (width, words) = if is_array { npy::read(path, &mut search)? } else { glove::read(path, &mut search)? };
    if search.rows.is_empty() {
        bail!(
            "{}: none of its {words} words is a token of the vocabulary, expected vectors for the language and \
             tokenizer of the data",
            path.display()
        );
    }
    Ok(Embeddings { width, frozen: false, rows: search.rows })
}

impl Embeddings {
    /// The length of a vector.
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

    /// Describes for the user how many tokens of the vocabulary and of the training text have a vector. `ids`: the
    /// tokens of the text.
    pub fn coverage<'i>(&self, vocabulary: &Vocabulary, ids: impl Iterator<Item = &'i u32>) -> String {
        let (mut covered, mut total) = (0usize, 0usize);
        for id in ids {
            covered += usize::from(self.rows.contains_key(id));
            total += 1;
        }
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let (found, tokens) = (self.rows.len(), vocabulary.len() - RESERVED_IDS);
        let other_case = self.rows.values().filter(|(fit, _)| *fit != Fit::Exact).count();
        format!(
            "{found} of {tokens} tokens of the vocabulary ({:.1}%), {:.1}% of the text's tokens; {other_case} in another \
             case",
            percent(found, tokens),
            percent(covered, total)
        )
    }

    /// Writes the vectors to their rows of `table`, `[vocab_size, width]`, and scales the other rows, except that of
    /// PAD, to the standard deviation of the vectors. `table` must hold random numbers with mean 0 and standard
    /// deviation `std`.
    pub fn initialise(&self, table: &mut Array, std: f32) {
        let values = || self.rows.values().flat_map(|(_, row)| row).map(|&value| f64::from(value));
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        let std_of_vectors = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let factor = (std_of_vectors / f64::from(std)) as f32;
        for (id, row) in table.data.chunks_exact_mut(self.width).enumerate() {
            match self.rows.get(&(id as u32)) {
                Some((_, vector)) => row.copy_from_slice(vector),
                None if id == PAD as usize => {}
                None => row.iter_mut().for_each(|value| *value *= factor),
            }
        }
    }

    /// Sets the gradients of frozen rows to zero, so that they do not contribute to the gradient norm. `gradients`:
    /// `[vocab_size * width]`. Does nothing if the vectors are not frozen.
    pub fn zero_frozen_gradients(&self, gradients: &mut [f32]) {
        if !self.frozen {
            return;
        }
        for &id in self.rows.keys() {
            gradients[id as usize * self.width..][..self.width].fill(0.0);
        }
    }

    /// Writes the vectors to their rows of `table`, `[vocab_size, width]`, again, after a step of the optimizer, weight
    /// decay or averaging has changed these rows. Does nothing if the vectors are not frozen.
    pub fn reset_frozen(&self, table: &mut Array) {
        if !self.frozen {
            return;
        }
        for (&id, (_, vector)) in &self.rows {
            table.data[id as usize * self.width..][..self.width].copy_from_slice(vector);
        }
    }
}

#[cfg(test)]
mod tests;

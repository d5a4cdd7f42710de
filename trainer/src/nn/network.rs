//! The classifier's forward pass: embedding → LSTM → last hidden state → linear.

use super::linear::Linear;
use super::packed::{Direction, Packing};
use super::product::Panels;
use super::recurrent::{self, Biases};
use crate::architecture::Cell;
use crate::denormals::Flush;
use crate::weights::{Weights, names};

/// A trained network, packed for inference.
///
/// A text's logits are the same bits whether it is run alone, in a batch, or by the training graph.
#[derive(Clone, Debug)]
pub struct Network {
    /// `[vocab_size, embedding_dim]`
    embedding: Vec<f32>,
    embedding_dim: usize,
    hidden_size: usize,
    input: Linear,
    w_hh: Panels,
    fc: Linear,
}

impl Network {
    /// Packs `weights`, whose shapes fit together (see [`Weights::check`]).
    pub fn new(weights: &Weights) -> Self {
        let embedding = &weights[names::EMBEDDING];
        let w_hh = &weights[names::W_HH];
        let hidden_size = w_hh.shape[1];
        let biases = Biases::new(Cell::Lstm, &weights[names::B_IH].data, &weights[names::B_HH].data);
        Network {
            embedding: embedding.data.clone(),
            embedding_dim: embedding.shape[1],
            hidden_size,
            input: Linear::new(&weights[names::W_IH].data, &biases.sums),
            w_hh: Panels::from_transposed(&w_hh.data, 4 * hidden_size, hidden_size),
            fc: Linear::new(&weights[names::FC_WEIGHT].data, &weights[names::FC_BIAS].data),
        }
    }

    /// The logits of one text, `[labels]`. No token at all leaves the hidden state at zero.
    pub fn logits(&self, ids: &[u32]) -> Vec<f32> {
        let hidden = self.hidden_states(ids);
        let zero = vec![0.0; self.hidden_size];
        let last = hidden.chunks_exact(self.hidden_size).last().unwrap_or(&zero);
        let _flush = Flush::denormals();
        self.fc.forward(last, 1)
    }

    /// The logits after each token, as if the text had ended there: `[tokens][labels]`.
    pub fn logits_after_each(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        let hidden = self.hidden_states(ids);
        let _flush = Flush::denormals();
        hidden.chunks_exact(self.hidden_size).map(|row| self.fc.forward(row, 1)).collect()
    }

    /// The hidden state after each token: `[tokens, hidden_size]`.
    ///
    /// # Panics
    ///
    /// Where an id is not below the vocabulary's size.
    pub fn hidden_states(&self, ids: &[u32]) -> Vec<f32> {
        let _flush = Flush::denormals();
        let mut x = Vec::with_capacity(ids.len() * self.embedding_dim);
        for &id in ids {
            x.extend_from_slice(&self.embedding[id as usize * self.embedding_dim..][..self.embedding_dim]);
        }
        let gates = self.input.forward(&x, ids.len());
        let packing = Packing::new(&[ids.len()]);
        let mut cells = recurrent::cells(Cell::Lstm, gates, &[], &packing, self.hidden_size);
        recurrent::forward(cells.as_mut(), &self.w_hh, &packing, Direction::Forward, self.hidden_size)
    }
}

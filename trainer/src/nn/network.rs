//! The classifier's forward pass: embedding → recurrent layers → pooling → linear.

use super::linear::Linear;
use super::packed::{Direction, Packing};
use super::pooling;
use super::product::Panels;
use super::recurrent::{self, Biases};
use crate::architecture::{Merge, Recurrent};
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
    recurrent: Recurrent,
    /// `[layer][direction]`
    layers: Vec<Vec<Layer>>,
    fc: Linear,
}

/// One direction of a layer.
#[derive(Clone, Debug)]
struct Layer {
    direction: Direction,
    input: Linear,
    w_hh: Panels,
    /// [`Biases::hidden`]
    hidden_bias: Vec<f32>,
}

impl Network {
    /// Packs `weights`, whose shapes fit together (see [`Weights::check`]).
    pub fn new(weights: &Weights, recurrent: Recurrent) -> Self {
        let embedding = &weights[names::EMBEDDING];
        let layer = |layer: usize, direction: Direction| {
            let names = recurrent.names(layer, direction);
            let w_hh = &weights[&names.w_hh];
            let biases = Biases::new(recurrent.cell, &weights[&names.b_ih].data, &weights[&names.b_hh].data);
            Layer {
                direction,
                input: Linear::new(&weights[&names.w_ih].data, &biases.sums),
                w_hh: Panels::from_transposed(&w_hh.data, w_hh.shape[0], w_hh.shape[1]),
                hidden_bias: biases.hidden,
            }
        };
        let layers = (0..recurrent.layers)
            .map(|index| recurrent.directions().iter().map(|&direction| layer(index, direction)).collect())
            .collect();
        Network {
            embedding: embedding.data.clone(),
            embedding_dim: embedding.shape[1],
            hidden_size: weights[&recurrent.names(0, Direction::Forward).w_hh].shape[1],
            recurrent,
            layers,
            fc: Linear::new(&weights[names::FC_WEIGHT].data, &weights[names::FC_BIAS].data),
        }
    }

    /// The logits of one text, `[labels]`. Without a token the linear layer reads zeros.
    pub fn logits(&self, ids: &[u32]) -> Vec<f32> {
        let _flush = Flush::denormals();
        let states = self.last_layer(ids);
        self.head(&states.iter().map(Vec::as_slice).collect::<Vec<_>>(), ids.len())
    }

    /// The logits after each token, as if the text had ended there: `[tokens][labels]`.
    ///
    /// A network that also reads from the end starts anew for each of them, in time quadratic in the text's length.
    pub fn logits_after_each(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        if self.recurrent.bidirectional {
            return (1..=ids.len()).map(|end| self.logits(&ids[..end])).collect();
        }
        let _flush = Flush::denormals();
        let states = self.last_layer(ids).concat();
        (1..=ids.len()).map(|end| self.head(&[&states[..end * self.hidden_size]], end)).collect()
    }

    /// The last layer's states after each token, its directions merged: `[tokens, hidden_size]`, or twice as wide where
    /// they stand side by side.
    ///
    /// # Panics
    ///
    /// Where an id is not below the vocabulary's size.
    pub fn hidden_states(&self, ids: &[u32]) -> Vec<f32> {
        let _flush = Flush::denormals();
        let states = self.last_layer(ids);
        let states: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
        pooling::merge(&states, self.recurrent.merge, self.hidden_size)
    }

    /// The last layer's states, of each direction: `[tokens, hidden_size]`.
    fn last_layer(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        let mut x = Vec::with_capacity(ids.len() * self.embedding_dim);
        for &id in ids {
            x.extend_from_slice(&self.embedding[id as usize * self.embedding_dim..][..self.embedding_dim]);
        }
        let packing = Packing::new(&[ids.len()]);
        let mut states: Vec<Vec<f32>> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                let below: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
                x = pooling::merge(&below, Merge::Concat, self.hidden_size);
            }
            states = layer.iter().map(|layer| self.run(layer, &x, &packing)).collect();
        }
        states
    }

    fn run(&self, layer: &Layer, x: &[f32], packing: &Packing) -> Vec<f32> {
        let gates = layer.input.forward(x, packing.rows());
        let mut cells = recurrent::cells(self.recurrent.cell, gates, &layer.hidden_bias, packing, self.hidden_size);
        recurrent::forward(cells.as_mut(), &layer.w_hh, packing, layer.direction, self.hidden_size)
    }

    /// The logits from the last layer's states of a text.
    fn head(&self, states: &[&[f32]], tokens: usize) -> Vec<f32> {
        let read = pooling::head_input(states, &self.recurrent, &Packing::new(&[tokens]), self.hidden_size);
        self.fc.forward(&read, 1)
    }
}

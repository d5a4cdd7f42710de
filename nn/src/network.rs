//! The forward pass: embedding or values → recurrent layers → pooling → head.

use super::linear::Linear;
use super::packed::{Direction, Packing};
use super::pooling;
use super::recurrent::{Biases, Layer};
use crate::architecture::{Architecture, Merge, Recurrent};
use crate::denormals::Flush;
use crate::weights::{Weights, names};

/// A trained network, packed for inference.
///
/// A text's logits are the same bits whether it is run alone, in a batch, or by the training graph.
#[derive(Clone, Debug)]
pub struct Network {
    /// `[vocab_size, input_size]`; empty where the network reads values
    embedding: Vec<f32>,
    input_size: usize,
    pub(super) hidden_size: usize,
    pub(super) recurrent: Recurrent,
    /// `[layer][direction]`
    pub(super) layers: Vec<Vec<Layer>>,
    /// The layer with max(0, x) before the last one.
    hidden: Option<Linear>,
    fc: Linear,
}

/// What a network reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Ids of tokens.
    Tokens(&'a [u32]),
    /// Normalised numbers, `[steps, channels]`.
    Values(&'a [f32]),
}

/// What the parts of a network gave for one sequence.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What each layer read: `[layer][steps, inputs]`.
    pub inputs: Vec<Vec<f32>>,
    /// `[layer][direction][steps, hidden_size]`
    pub states: Vec<Vec<Vec<f32>>>,
    /// What the head read: `[head_width]`.
    pub read: Vec<f32>,
    /// The activations of the head's hidden layer; empty where there is none.
    pub hidden: Vec<f32>,
}

impl Network {
    /// Packs `weights`, whose shapes fit together (see [`Weights::check`]).
    pub fn new(weights: &Weights, architecture: &Architecture) -> Self {
        let recurrent = architecture.recurrent;
        let linear = |weight: &str, bias: &str| Linear::new(&weights[weight].data, &weights[bias].data);
        let layer = |layer: usize, direction: Direction| {
            let names = recurrent.names(layer, direction);
            let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| &weights[name].data);
            let biases = Biases::new(recurrent.cell, &weights[&names.b_ih].data, &weights[&names.b_hh].data);
            Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases)
        };
        let layers = (0..recurrent.layers)
            .map(|index| recurrent.directions().iter().map(|&direction| layer(index, direction)).collect())
            .collect();
        Network {
            embedding: weights.get(names::EMBEDDING).map_or(Vec::new(), |embedding| embedding.data.clone()),
            input_size: architecture.input.width(),
            hidden_size: architecture.hidden_size,
            recurrent,
            layers,
            hidden: (architecture.head.hidden > 0).then(|| linear(names::HIDDEN_WEIGHT, names::HIDDEN_BIAS)),
            fc: linear(names::FC_WEIGHT, names::FC_BIAS),
        }
    }

    /// The logits of one text, `[outputs]`. Without a token the head reads zeros.
    pub fn logits(&self, ids: &[u32]) -> Vec<f32> {
        self.outputs(Input::Tokens(ids))
    }

    /// The outputs for one sequence, `[outputs]`. Without a step the head reads zeros.
    pub fn outputs(&self, input: Input<'_>) -> Vec<f32> {
        let _flush = Flush::denormals();
        let states = self.last_layer(input);
        self.head(&states.iter().map(Vec::as_slice).collect::<Vec<_>>(), self.steps(input))
    }

    /// The logits after each token, as if the text had ended there: `[tokens][labels]`.
    ///
    /// A network that also reads from the end starts anew for each of them, in time quadratic in the text's length.
    pub fn logits_after_each(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        if self.recurrent.bidirectional {
            return (1..=ids.len()).map(|end| self.logits(&ids[..end])).collect();
        }
        let _flush = Flush::denormals();
        let states = self.last_layer(Input::Tokens(ids)).concat();
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
        let states = self.last_layer(Input::Tokens(ids));
        let states: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
        pooling::merge(&states, self.recurrent.merge, self.hidden_size)
    }

    /// The tokens' rows of the embedding: `[tokens, embedding_dim]`.
    pub(super) fn embedded(&self, ids: &[u32]) -> Vec<f32> {
        let width = self.input_size;
        ids.iter().flat_map(|&id| &self.embedding[id as usize * width..][..width]).copied().collect()
    }

    fn steps(&self, input: Input<'_>) -> usize {
        match input {
            Input::Tokens(ids) => ids.len(),
            Input::Values(values) => values.len() / self.input_size,
        }
    }

    /// What every part of the network gives for one sequence.
    pub fn trace(&self, input: Input<'_>) -> Trace {
        let _flush = Flush::denormals();
        let packing = Packing::new(&[self.steps(input)]);
        let (mut inputs, mut states): (Vec<Vec<f32>>, Vec<Vec<Vec<f32>>>) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            let x = match states.last() {
                Some(below) => {
                    let below: Vec<&[f32]> = below.iter().map(Vec::as_slice).collect();
                    pooling::merge(&below, Merge::Concat, self.hidden_size)
                }
                None => self.first_input(input),
            };
            states.push(layer.iter().map(|layer| layer.forward(&x, None, &packing).0.to_vec()).collect());
            inputs.push(x);
        }
        let last: Vec<&[f32]> = states.last().into_iter().flatten().map(Vec::as_slice).collect();
        let read = pooling::head_input(&last, &self.recurrent, &packing, self.hidden_size);
        let hidden = self.activations(&read, 1).unwrap_or_default();
        Trace { inputs, states, read, hidden }
    }

    /// What the first layer reads: `[steps, input_size]`.
    fn first_input(&self, input: Input<'_>) -> Vec<f32> {
        match input {
            Input::Tokens(ids) => self.embedded(ids),
            Input::Values(values) => values.to_vec(),
        }
    }

    /// The last layer's states, of each direction: `[steps, hidden_size]`.
    fn last_layer(&self, input: Input<'_>) -> Vec<Vec<f32>> {
        let mut x = self.first_input(input);
        let packing = Packing::new(&[self.steps(input)]);
        let mut states: Vec<Vec<f32>> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                let below: Vec<&[f32]> = states.iter().map(Vec::as_slice).collect();
                x = pooling::merge(&below, Merge::Concat, self.hidden_size);
            }
            states = layer.iter().map(|layer| layer.forward(&x, None, &packing).0.to_vec()).collect();
        }
        states
    }

    /// The activations of the head's hidden layer, if there is one.
    fn activations(&self, read: &[f32], rows: usize) -> Option<Vec<f32>> {
        let mut activations = self.hidden.as_ref()?.forward(read, rows);
        activations.iter_mut().for_each(|value| *value = value.max(0.0));
        Some(activations)
    }

    /// The outputs from the last layer's states of a sequence.
    fn head(&self, states: &[&[f32]], steps: usize) -> Vec<f32> {
        self.head_rows(pooling::head_input(states, &self.recurrent, &Packing::new(&[steps]), self.hidden_size), 1)
    }

    /// The outputs of the head: `[rows, head_width]` → `[rows, outputs]`.
    pub(super) fn head_rows(&self, read: Vec<f32>, rows: usize) -> Vec<f32> {
        self.fc.forward(&self.activations(&read, rows).unwrap_or(read), rows)
    }
}

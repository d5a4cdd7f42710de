//! The forward pass of a trained network: embedding or values → recurrent layers → pooling → head, with the n-gram
//! branch between pooling and head.

use crate::architecture::{Architecture, Merge, Recurrent, names};
use crate::denormals::Flush;
use crate::linear::Linear;
use crate::ngrams::{self, Table};
use crate::packed::{Direction, PackedLayout};
use crate::pooling;
use crate::recurrent::{Biases, Layer};
use crate::sample::{Sample, Steps};
use crate::weights::Weights;

/// A trained network with its weights packed for inference.
///
/// The outputs have the same bits as those of the training graph on the CPU without dropout and without a grid, for any
/// batch that contains the sequence.
#[derive(Clone, Debug)]
pub struct Network {
    /// `[vocab_size, input_size]`; empty if the network reads values or has no recurrent layers.
    embedding: Vec<f32>,
    /// Width of the first layer's input: the embedding dimension, or the number of channels.
    input_size: usize,
    pub(super) hidden_size: usize,
    pub(super) recurrent: Recurrent,
    /// `[layer][direction]`
    pub(super) layers: Vec<Vec<Layer>>,
    /// The table of the n-gram branch, `[buckets, rank]`, and its rank; `None` without the branch.
    ngrams: Option<(Vec<f32>, usize)>,
    /// The hidden layer of the head, with ReLU; `None` if the head has one layer only.
    hidden: Option<Linear>,
    /// The last layer of the head.
    fc: Linear,
}

/// One sequence as the input of a network.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Token ids. The sums of an n-gram branch are 0.
    Tokens(&'a [u32]),
    /// A text for a network with an n-gram branch.
    Text {
        /// Token ids.
        ids: &'a [u32],
        /// The buckets of the text's n-grams: [`Sample::ngrams`].
        ngrams: &'a [u32],
    },
    /// Normalised numbers, `[steps, channels]`.
    Values(&'a [f32]),
}

impl<'a> From<&'a Steps> for Input<'a> {
    fn from(steps: &'a Steps) -> Self {
        match steps {
            Steps::Tokens(ids) => Input::Tokens(ids),
            Steps::Values { values, .. } => Input::Values(values),
        }
    }
}

impl<'a> From<&'a Sample> for Input<'a> {
    fn from(sample: &'a Sample) -> Self {
        match &sample.steps {
            Steps::Tokens(ids) => Input::Text { ids, ngrams: &sample.ngrams },
            Steps::Values { values, .. } => Input::Values(values),
        }
    }
}

/// The intermediate results of a network for one sequence.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The input of each layer: `[layer][steps, input_size]`.
    pub inputs: Vec<Vec<f32>>,
    /// The hidden states: `[layer][direction][steps, hidden_size]`.
    pub states: Vec<Vec<Vec<f32>>>,
    /// The input of the head: `[head_width]`.
    pub head_input: Vec<f32>,
    /// The activations of the head's hidden layer, `[head_hidden]`; empty if it has none.
    pub head_hidden: Vec<f32>,
}

impl Network {
    /// Packs `weights`, which must have passed [`Weights::check`].
    pub fn new(weights: &Weights, architecture: &Architecture) -> Self {
        let recurrent = architecture.recurrent;
        let linear = |weight: &str, bias: &str| Linear::new(&weights[weight].data, &weights[bias].data);
        let layer = |index: usize, direction: Direction| {
            let names = recurrent.names(index, direction);
            let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| &weights[name].data);
            let biases = Biases::of_layer(recurrent.cell, weights, &names);
            Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases)
        };
        let layers = (0..recurrent.num_layers)
            .map(|index| recurrent.directions().iter().map(|&direction| layer(index, direction)).collect())
            .collect();
        Network {
            embedding: weights.get(names::EMBEDDING).map_or(Vec::new(), |embedding| embedding.data.clone()),
            input_size: architecture.input.width(),
            hidden_size: architecture.hidden_size,
            recurrent,
            layers,
            ngrams: architecture.ngrams.map(|table| (weights[names::NGRAMS].data.clone(), table.rank)),
            hidden: (architecture.head.hidden > 0).then(|| linear(names::HIDDEN_WEIGHT, names::HIDDEN_BIAS)),
            fc: linear(names::FC_WEIGHT, names::FC_BIAS),
        }
    }

    /// Computes the logits of one text, `[outputs]`; the sums of an n-gram branch are 0. For an empty text the head
    /// reads zeros.
    pub fn logits(&self, ids: &[u32]) -> Vec<f32> {
        self.outputs(Input::Tokens(ids))
    }

    /// Computes the outputs for one sequence, `[outputs]`. For an empty sequence the head reads zeros.
    pub fn outputs(&self, input: Input<'_>) -> Vec<f32> {
        let _flush = Flush::denormals();
        let states = self.last_layer(input, |_, _| ());
        self.head_rows(self.head_input(&slices(&states), input), 1)
    }

    /// Computes the logits after each token, as if the text ended with that token: `[tokens][outputs]`. The sums of an
    /// n-gram branch are 0.
    ///
    /// A bidirectional network runs its layers again from the start of the text for each token, which takes time
    /// quadratic in the length of the text. In a network with one direction, later tokens change no earlier state.
    pub fn logits_after_each(&self, ids: &[u32]) -> Vec<Vec<f32>> {
        if self.recurrent.bidirectional || self.layers.is_empty() {
            return (1..=ids.len()).map(|end| self.logits(&ids[..end])).collect();
        }
        let _flush = Flush::denormals();
        // There is only the forward direction.
        let states = self.last_layer(Input::Tokens(ids), |_, _| ()).concat();
        let logits_after = |end: usize| {
            let states_so_far = &states[..end * self.hidden_size];
            self.head_rows(self.head_input(&[states_so_far], Input::Tokens(&ids[..end])), 1)
        };
        (1..=ids.len()).map(logits_after).collect()
    }

    /// Looks up the embeddings of tokens: `[tokens, embedding_dim]`.
    pub(super) fn embedded(&self, ids: &[u32]) -> Vec<f32> {
        let width = self.input_size;
        ids.iter().flat_map(|&id| &self.embedding[id as usize * width..][..width]).copied().collect()
    }

    /// True if the network has an n-gram branch.
    pub fn has_ngrams(&self) -> bool {
        self.ngrams.is_some()
    }

    /// Number of steps of a sequence.
    fn steps(&self, input: Input<'_>) -> usize {
        match input {
            Input::Tokens(ids) | Input::Text { ids, .. } => ids.len(),
            Input::Values(values) => values.len() / self.input_size,
        }
    }

    /// Computes the intermediate results of all layers for one sequence.
    pub fn trace(&self, input: Input<'_>) -> Trace {
        let _flush = Flush::denormals();
        let (mut inputs, mut states) = (Vec::new(), Vec::new());
        let last = self.last_layer(input, |x, states_of_layer| {
            inputs.push(x.to_vec());
            states.push(states_of_layer.to_vec());
        });
        let head_input = self.head_input(&slices(&last), input);
        let head_hidden = self.head_hidden(&head_input, 1).unwrap_or_default();
        Trace { inputs, states, head_input, head_hidden }
    }

    /// Runs all recurrent layers and returns the hidden states of the last one: `[directions][steps, hidden_size]`,
    /// empty without recurrent layers.
    ///
    /// `observe` is called for each layer with its input, `[steps, input_size]`, and its hidden states,
    /// `[directions][steps, hidden_size]`.
    fn last_layer(&self, input: Input<'_>, mut observe: impl FnMut(&[f32], &[Vec<f32>])) -> Vec<Vec<f32>> {
        if self.layers.is_empty() {
            return Vec::new();
        }
        let mut x = match input {
            Input::Tokens(ids) | Input::Text { ids, .. } => self.embedded(ids),
            Input::Values(values) => values.to_vec(),
        };
        let layout = PackedLayout::new(&[self.steps(input)]);
        let mut states: Vec<Vec<f32>> = Vec::new();
        for (index, directions) in self.layers.iter().enumerate() {
            if index > 0 {
                x = pooling::merge(&slices(&states), Merge::Concat, self.hidden_size);
            }
            states = directions.iter().map(|layer| layer.forward(&x, None, &layout).0.to_vec()).collect();
            observe(&x, &states);
        }
        states
    }

    /// Computes the activations of the head's hidden layer, `[rows, head_hidden]`; `None` if the head has no hidden
    /// layer.
    fn head_hidden(&self, head_input: &[f32], rows: usize) -> Option<Vec<f32>> {
        let mut activations = self.hidden.as_ref()?.forward(head_input, rows);
        activations.iter_mut().for_each(|value| *value = value.max(0.0));
        Some(activations)
    }

    /// Computes the input of the head for one sequence, `[head_width]`, from the hidden states of the last layer.
    fn head_input(&self, states: &[&[f32]], input: Input<'_>) -> Vec<f32> {
        let layout = PackedLayout::new(&[self.steps(input)]);
        let mut head_input = match states {
            [] => Vec::new(),
            states => pooling::head_input(states, &self.recurrent, &layout, self.hidden_size),
        };
        if let Some((weight, rank)) = &self.ngrams {
            // An input without n-grams has sums of 0.
            let buckets = if let Input::Text { ngrams, .. } = input { ngrams } else { &[] };
            let table = Table { weight, rank: *rank, grid: None };
            head_input.extend(table.sum(buckets, ngrams::scale(buckets.len())));
        }
        head_input
    }

    /// Applies the head: `[rows, head_width]` → `[rows, outputs]`.
    pub(super) fn head_rows(&self, head_input: Vec<f32>, rows: usize) -> Vec<f32> {
        match self.head_hidden(&head_input, rows) {
            Some(activations) => self.fc.forward(&activations, rows),
            None => self.fc.forward(&head_input, rows),
        }
    }
}

/// Returns the hidden states of each direction as a slice.
fn slices(states: &[Vec<f32>]) -> Vec<&[f32]> {
    states.iter().map(Vec::as_slice).collect()
}

//! The configuration of a model: its choices and its sizes. If the Cargo feature of a part is off, the methods that ask
//! for that part return a constant, so that the compiler drops the code for it.

use tern_format::limits::MAX_LAYERS;
use tern_format::{Cell, Input, Merge, Ngrams, Output, Pooling, Task, Tokenizer};

use crate::features::{BIDIRECTIONAL, NGRAMS, POOLING, STACKED, VALUES};

/// The choices and sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The task: classification, a language model or a forecast.
    pub task: Task,
    /// The input of each time step: a token or a row of values.
    pub input: Input,
    /// The tokenizer; unused if the model reads values.
    pub tokenizer: Tokenizer,
    /// V: the number of token ids, PAD and UNK included; 2 if the model reads values or has no recurrent branch.
    pub vocab_size: usize,
    /// E: the embedding dimension; the number of channels if the model reads values; 0 without a recurrent branch.
    pub embedding_dim: usize,
    /// The kind of recurrent cell.
    pub cell: Cell,
    /// The number of recurrent layers: 1 to 4; 0 if the model has no recurrent branch. `cell`, `bidirectional`, `merge`
    /// and `pooling` are then unused.
    pub layers: usize,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: bool,
    /// The combination of the last layer's two directions; `Concat` if the model is not bidirectional.
    pub merge: Merge,
    /// The reduction of the last layer's hidden states over time.
    pub pooling: Pooling,
    /// H: the hidden size of a recurrent layer, in each direction; 0 without a recurrent branch.
    pub hidden_size: usize,
    /// The n-grams that the n-gram branch counts; none if the model has no such branch.
    pub ngrams: Option<Ngrams>,
    /// R: the rank of the n-gram table; 0 without an n-gram branch.
    pub ngram_rank: usize,
    /// The right shift of the hidden states before they are pooled: 0 to 8; 0 unless the model has both branches.
    pub pooled_shift: u32,
    /// The number of units of the head's hidden layer; 0 if it has none.
    pub head_hidden: usize,
    /// The meaning of the last layer's outputs.
    pub output: Output,
    /// C: the number of logits: labels, token ids or predicted values.
    pub classes: usize,
    /// The number of time steps that a forecast was trained to read after a [`reset`](crate::SessionBase::reset); 0 for
    /// other tasks.
    pub window: usize,
}

impl Config {
    /// The width of the last layer's hidden states after the directions are merged: H or 2·H.
    pub fn merged_width(&self) -> usize {
        let side_by_side = self.reads_both_ways() && self.merge == Merge::Concat;
        if side_by_side { 2 * self.hidden_size } else { self.hidden_size }
    }

    /// The number of directions of each layer.
    pub(crate) fn directions(&self) -> usize {
        if self.reads_both_ways() { 2 } else { 1 }
    }

    /// Returns true if the model has this layer in this direction.
    pub(crate) fn has(&self, direction: LayerDirection) -> bool {
        usize::from(direction.layer) < self.layers && (self.reads_both_ways() || !direction.reverse)
    }

    /// Returns true if the model is bidirectional. Always false if the feature `bidirectional` is off.
    pub(crate) fn reads_both_ways(&self) -> bool {
        BIDIRECTIONAL && self.bidirectional
    }

    /// Returns true if the model reads values. Always false if the feature `values` is off.
    pub(crate) fn reads_values(&self) -> bool {
        VALUES && self.input == Input::Values
    }

    /// F: the width of the head's input: the pooled hidden states, then the R sums of the n-gram branch.
    pub fn head_width(&self) -> usize {
        self.pooled_width() + if NGRAMS { self.ngram_rank } else { 0 }
    }

    /// The width of the pooled hidden states: the merged width, or twice that for the mean and the maximum.
    pub(crate) fn pooled_width(&self) -> usize {
        if self.pools_mean() && self.pools_max() { 2 * self.merged_width() } else { self.merged_width() }
    }

    /// The right shift of the hidden states before they are pooled. Always 0 if the feature `ngrams` is off.
    pub(crate) fn pooled_shift(&self) -> u32 {
        if NGRAMS { self.pooled_shift } else { 0 }
    }

    /// Returns true if the model has a recurrent branch. Always true if the feature `ngrams` is off.
    pub(crate) fn is_recurrent(&self) -> bool {
        !NGRAMS || self.layers > 0
    }

    /// Returns true if the model has an n-gram branch. Always false if the feature `ngrams` is off.
    pub(crate) fn counts_ngrams(&self) -> bool {
        NGRAMS && self.ngrams.is_some()
    }

    /// Returns true if the head reads the last hidden state. Always true if the feature `pooling` is off.
    pub(crate) fn pools_last(&self) -> bool {
        !POOLING || self.pooling == Pooling::Last
    }

    /// Returns true if the head reads the mean of the hidden states.
    pub(crate) fn pools_mean(&self) -> bool {
        POOLING && matches!(self.pooling, Pooling::Mean | Pooling::MeanMax)
    }

    /// Returns true if the head reads the maximum of the hidden states.
    pub(crate) fn pools_max(&self) -> bool {
        POOLING && matches!(self.pooling, Pooling::Max | Pooling::MeanMax)
    }
}

/// One direction of one recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerDirection {
    /// The index of the layer, 0 to 3.
    pub layer: u8,
    /// True for the direction that reads the sequence from its last step to its first.
    pub reverse: bool,
}

impl LayerDirection {
    /// The forward direction of the first layer, which every recurrent model has.
    pub(crate) const FIRST: LayerDirection = LayerDirection { layer: 0, reverse: false };
    /// The number of layers times directions that this build has room for. Each layer has room for two directions,
    /// unless there is only a single layer in a single direction.
    pub(crate) const COUNT: usize = if STACKED || BIDIRECTIONAL { 2 * LayerDirection::LAYERS } else { 1 };
    /// The number of layers that this build has room for.
    pub(crate) const LAYERS: usize = if STACKED { MAX_LAYERS } else { 1 };

    /// The directions of all layers that this build has room for: layer by layer, forward before reverse.
    pub(crate) fn all() -> impl Iterator<Item = LayerDirection> {
        (0..LayerDirection::COUNT as u8).map(|index| LayerDirection { layer: index / 2, reverse: index % 2 == 1 })
    }
}

//! The configuration of a model: its choices and its sizes.

use tern_format::limits::MAX_LAYERS;
use tern_format::{Cell, Input, Merge, Output, Pooling, Task, Tokenizer};

use crate::features::{BIDIRECTIONAL, POOLING, STACKED, VALUES};

/// The sizes of a model, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the model is for.
    pub task: Task,
    /// What a step reads.
    pub input: Input,
    /// How text becomes tokens.
    pub tokenizer: Tokenizer,
    /// V: ids, PAD and UNK among them. 2 where values are read.
    pub vocab_size: usize,
    /// E: size of an embedded token; where values are read, the number of channels.
    pub embedding_dim: usize,
    /// The recurrent cells.
    pub cell: Cell,
    /// Recurrent layers on top of each other: 1 … 4.
    pub layers: usize,
    /// Whether each layer also reads from the end.
    pub bidirectional: bool,
    /// What becomes of the last layer's two directions.
    pub merge: Merge,
    /// What of the last layer's states the head reads.
    pub pooling: Pooling,
    /// H: units of a recurrent layer, in each direction.
    pub hidden_size: usize,
    /// Units of the head's hidden layer; 0: there is none.
    pub head_hidden: usize,
    /// What the last layer's numbers are.
    pub output: Output,
    /// C: how many logits there are: labels, ids of the vocabulary or values.
    pub classes: usize,
    /// Steps that a forecast was trained to read before it says, from [`reset`](crate::SessionBase::reset) on; 0 of other models.
    pub window: usize,
}

impl Config {
    /// Width of the last layer's states, both directions merged: H or 2·H.
    pub fn merged_width(&self) -> usize {
        let side_by_side = self.reads_both_ways() && self.merge == Merge::Concat;
        if side_by_side { 2 * self.hidden_size } else { self.hidden_size }
    }

    /// How many directions each layer reads in.
    pub(crate) fn directions(&self) -> usize {
        if self.reads_both_ways() { 2 } else { 1 }
    }

    /// Whether the model has such a layer in such a direction.
    pub(crate) fn has(&self, place: Place) -> bool {
        usize::from(place.layer) < self.layers && (self.reads_both_ways() || !place.reverse)
    }

    /// [`bidirectional`](Config::bidirectional), which is never so where that is not built in.
    pub(crate) fn reads_both_ways(&self) -> bool {
        BIDIRECTIONAL && self.bidirectional
    }

    /// Whether a step reads numbers, which is never so where that is not built in.
    pub(crate) fn reads_values(&self) -> bool {
        VALUES && self.input == Input::Values
    }

    /// F: width of what the head reads.
    pub fn head_width(&self) -> usize {
        if self.pools_mean() && self.pools_max() { 2 * self.merged_width() } else { self.merged_width() }
    }

    /// Returns true if the head reads the last hidden state, as it always does where pooling is not built in.
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
pub(crate) struct Place {
    /// 0 … 3
    pub layer: u8,
    pub reverse: bool,
}

impl Place {
    pub(crate) const FIRST: Place = Place { layer: 0, reverse: false };
    /// The number of places that this build has room for.
    pub(crate) const COUNT: usize = if STACKED || BIDIRECTIONAL { 2 * Place::LAYERS } else { 1 };
    /// The number of layers that this build has room for.
    pub(crate) const LAYERS: usize = if STACKED { MAX_LAYERS } else { 1 };

    pub(crate) fn all() -> impl Iterator<Item = Place> {
        (0..Place::COUNT as u8).map(|index| Place { layer: index / 2, reverse: index % 2 == 1 })
    }
}

//! The checked view of a device file.
//!
//! [`Model::from_bytes`] is the one place where a model can be refused: it checks all that `docs/format.md` and `docs/arithmetic.md`
//! ask for. What it gives borrows the file and cannot fail.

use core::num::NonZeroUsize;

use crate::config::{Config, Place};
use crate::features;
use crate::layers::Cell;
use crate::layers::embedding::Embedding;
use crate::layers::folded::Folded;
use crate::layers::head::Head;
use crate::layers::linear::Linear;
use crate::layers::scaling::{Channel, Numbers};
use crate::rows::rows;
use crate::text::texts::Texts;
use crate::text::vocabulary::Vocabulary;
use tern_format::Packing;

/// What was seen when the model was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Training texts that the float model ran.
    pub texts: u32,
    /// Tokens of these texts.
    pub tokens: u32,
    /// Its largest |pre-activation|, Q16.
    pub largest_z: i32,
    /// Its largest |cell state|, Q20.
    pub largest_c: i32,
}

/// A text, or a sequence of values, with the exact logits that every device must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// The text; empty where values are read.
    pub text: &'a str,
    /// `[steps · channels]`; empty where tokens are read.
    pub values: &'a [i32],
    /// `[classes]`, Q16.
    pub logits: &'a [i32],
}

/// How many golden texts gave their exact logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest {
    /// Texts that did.
    pub passed: usize,
    /// All texts; at least 1.
    pub total: usize,
}

/// A model, borrowed from the bytes of its file.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    pub(crate) config: Config,
    pub(crate) vocabulary: Vocabulary<'a>,
    pub(crate) embedding: Embedding<'a>,
    /// Where tokens are folded
    pub(crate) folded: Option<features::Folds<Folded<'a>>>,
    /// Where numbers are read
    pub(crate) numbers: Option<features::Values<Numbers<'a>>>,
    /// Layer by layer, forward before reverse; what is beyond [`cells`](Model::cells) is not looked at.
    pub(crate) cells: [Cell<'a>; Place::COUNT],
    pub(crate) packing: Packing,
    pub(crate) hidden: Option<features::Hidden<Linear<'a>>>,
    pub(crate) head: Head<'a>,
    /// UTF-8
    pub(crate) name: &'a [u8],
    pub(crate) labels: Texts<'a>,
    /// Empty where numbers are read
    pub(crate) golden: Texts<'a>,
    /// `[golden · classes]`, Q16
    pub(crate) golden_logits: &'a [i32],
    pub(crate) calibration: Calibration,
    pub(crate) embedding_scale_bits: u32,
    pub(crate) header_len: usize,
    pub(crate) file_len: usize,
}

impl<'a> Model<'a> {
    /// The sizes of the model, and its kind.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How its recurrent weights lie.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// What the model is called.
    pub fn name(&self) -> &'a str {
        core::str::from_utf8(self.name).unwrap_or("")
    }

    /// The classes of a classifier, [`Config::classes`] of them; none of other models.
    pub fn labels(&self) -> Texts<'a> {
        self.labels
    }

    /// A channel of the input; none beyond the last, nor where tokens are read.
    pub fn channel(&self, index: usize) -> Option<Channel<'a>> {
        let Numbers { channels, input, .. } = self.numbers();
        Some(Channel { name: channels.get(index)?, point: *input.point.get(index)? })
    }

    /// A value of a [`Forecast`](Task::Forecast): the steps ahead go by, and in each the channels that it says; none beyond the last. Its
    /// integers come from [`ValueSession::predicted`](crate::ValueSession::predicted).
    pub fn forecast_channel(&self, index: usize) -> Option<Channel<'a>> {
        let Numbers { channels, output, .. } = self.numbers();
        let name = output.channel_of(index).and_then(|channel| channels.get(channel));
        Some(Channel { name: name.unwrap_or(""), point: *output.point.get(index)? })
    }

    /// The tokens that the model knows.
    pub fn vocabulary(&self) -> Vocabulary<'a> {
        self.vocabulary
    }

    /// What was seen when the model was exported.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The real value of `x` = 2^15 as the bits of an IEEE 754 single: this crate computes with no float.
    pub fn embedding_scale_bits(&self) -> u32 {
        self.embedding_scale_bits
    }

    /// Texts with the exact logits that every device must give; at least one.
    pub fn golden(&self) -> impl Iterator<Item = Golden<'a>> + use<'a> {
        let model = *self;
        let classes = NonZeroUsize::new(self.config.classes).unwrap_or(NonZeroUsize::MIN);
        // A range, because `enumerate` links a panic in a caller that checks overflows.
        let all = (0..self.golden_logits.len() / classes).zip(rows(self.golden_logits, classes));
        all.map(move |(index, logits)| {
            let text = model.golden.get(index).unwrap_or("");
            Golden { text, values: model.numbers().golden(index).unwrap_or(&[]), logits }
        })
    }

    /// What it has as a reader of numbers.
    pub(crate) fn numbers(&self) -> &Numbers<'a> {
        match &self.numbers {
            Some(numbers) => numbers,
            None => &Numbers::NONE,
        }
    }

    /// The sums of a token whose input half is ready-made, in one direction. `[hidden_size · rows]`
    #[inline]
    pub(crate) fn folded_sums(&self, id: u32, reverse: bool) -> Option<&'a [i32]> {
        self.folded.as_ref()?.find(id, reverse)
    }

    /// Multiply-accumulates of the recurrent layers for one token.
    pub fn macs_per_token(&self) -> usize {
        self.cells().iter().map(Cell::macs).sum()
    }

    /// The recurrent layers, each forward and then reverse; at least one.
    #[inline]
    pub(crate) fn cells(&self) -> &[Cell<'a>] {
        let count = if self.config.reads_both_ways() { 2 * self.config.layers } else { self.config.layers };
        self.cells.get(..count).unwrap_or(&self.cells)
    }

    /// The first of [`cells`](Model::cells).
    #[inline]
    pub(crate) fn first_cell(&self) -> &Cell<'a> {
        let [first, ..] = &self.cells;
        first
    }

    /// The same model with other cells in the first places.
    #[cfg(any(test, feature = "unpacked"))]
    pub(crate) fn with_cells(mut self, cells: impl Iterator<Item = Cell<'a>>) -> Self {
        self.cells.iter_mut().zip(cells).for_each(|(place, cell)| *place = cell);
        self
    }

    /// How many directions each layer reads in: the first so many of [`cells`](Model::cells) are the first layer.
    pub(crate) fn directions(&self) -> usize {
        if self.config.reads_both_ways() { 2 } else { 1 }
    }

    /// Whether the head, or its hidden layer, reads a state where it lies.
    pub(crate) fn reads_state(&self) -> bool {
        self.config.pools_last() && !self.config.reads_both_ways()
    }
}

#[cfg(test)]
mod tests;

//! A model: the checked view of a device file, the safetensors file that `tern export` writes.
//!
//! [`Model::from_bytes`] checks that a file has the format of `docs/format.md` and that no sum can overflow
//! (`docs/arithmetic.md`), so running a model cannot fail.

use core::num::NonZeroUsize;

use crate::config::{Config, LayerDirection};
use crate::features;
use crate::invariant::Guaranteed;
use crate::layers::Cell;
use crate::layers::embedding::Embedding;
use crate::layers::folded::Folded;
use crate::layers::head::{Head, Refusal};
use crate::layers::linear::Linear;
#[cfg(feature = "ngrams")]
use crate::layers::ngrams::NgramTable;
use crate::layers::scaling::{Channel, ValueParts};
use crate::rows::row;
use crate::text::texts::Texts;
use crate::text::vocabulary::Vocabulary;
use tern_format::Packing;

/// Statistics of the calibration set: the training samples that the float model ran over during the export to find the
/// ranges of its activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Calibration {
    /// The number of texts, sequences, windows, or parts of a language model's text.
    pub texts: u32,
    /// The number of their tokens or time steps.
    pub tokens: u32,
    /// The largest absolute pre-activation, Q16.
    pub largest_z: i32,
    /// The largest absolute cell state, Q20.
    pub largest_c: i32,
}

/// A golden example: a short text, or a sequence of values, with the exact logits that every device must compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// The text; empty if the model reads values.
    pub text: &'a str,
    /// The values, `[steps * channels]`; empty if the model reads text.
    pub values: &'a [i32],
    /// The logits, `[classes]`, Q16.
    pub logits: &'a [i32],
}

/// The result of [`Model::self_test`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfTest {
    /// The number of golden examples whose logits were exact.
    pub passed: usize,
    /// The number of golden examples, at least 1.
    pub total: usize,
}

/// A model, borrowed from the bytes of its file. It is `Copy`, but takes half a kilobyte or more, depending on the
/// features, so pass it by reference.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    // A part that a Cargo feature adds is in the feature's wrapper, a type without values if the feature is off: see
    // `features`.
    pub(crate) config: Config,
    pub(crate) vocabulary: Vocabulary<'a>,
    pub(crate) embedding: Embedding<'a>,
    /// The precomputed input projections, if tokens are folded.
    pub(crate) folded: Option<features::Folding<Folded<'a>>>,
    /// The table of the n-gram branch, if the model has one.
    #[cfg(feature = "ngrams")]
    pub(crate) ngrams: Option<features::Ngrams<NgramTable<'a>>>,
    /// The channels with their scaling and the golden sequences, if the model reads values.
    pub(crate) value_parts: Option<features::Values<ValueParts<'a>>>,
    /// The recurrent layers, layer by layer, forward before reverse. Only the entries in [`cells`](Model::cells) are
    /// used.
    pub(crate) cells: [Cell<'a>; LayerDirection::COUNT],
    pub(crate) packing: Packing,
    /// The hidden layer of the head, if it has one.
    pub(crate) hidden: Option<features::Hidden<Linear<'a>>>,
    pub(crate) head: Head<'a>,
    /// The name in UTF-8, at most 64 bytes.
    pub(crate) name: &'a [u8],
    pub(crate) labels: Texts<'a>,
    /// The golden texts; empty if the model reads values.
    pub(crate) golden: Texts<'a>,
    /// The logits of all golden examples, `[examples * classes]`, Q16.
    pub(crate) golden_logits: &'a [i32],
    pub(crate) calibration: Calibration,
    pub(crate) embedding_scale_bits: u32,
    /// The length of the header in bytes, its length field included.
    pub(crate) header_len: usize,
    /// The length of the file in bytes.
    pub(crate) file_len: usize,
}

impl<'a> Model<'a> {
    /// The configuration of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The memory layout of the recurrent weights; without meaning if the model has no recurrent branch.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The name of the model.
    pub fn name(&self) -> &'a str {
        core::str::from_utf8(self.name).ok().guaranteed()
    }

    /// The labels of a classifier, [`Config::classes`] of them; empty for other tasks.
    pub fn labels(&self) -> Texts<'a> {
        self.labels
    }

    /// The rule by which a classifier refuses to answer; none if it always answers.
    pub fn refusal(&self) -> Option<Refusal> {
        self.head.refusal.as_deref().copied()
    }

    /// The name of a channel of the input, and the number of fractional bits of its integers; none beyond the last
    /// channel, and none if the model reads text.
    pub fn channel(&self, index: usize) -> Option<Channel<'a>> {
        let ValueParts { channels, input, .. } = self.value_parts();
        Some(Channel { name: channels.get(index)?, point: *input.point.get(index)? })
    }

    /// The name of the channel of one predicted value of a [`Forecast`](tern_format::Task::Forecast), and the number of
    /// fractional bits of the value; none beyond the last value, and none if the model is no forecast. Values are
    /// ordered by time step, then by channel.
    /// [`ValueSession::predicted`](crate::ValueSession::predicted) gives the value itself.
    pub fn forecast_channel(&self, index: usize) -> Option<Channel<'a>> {
        let ValueParts { channels, output, .. } = self.value_parts();
        let name = output.channel_of(index).and_then(|channel| channels.get(channel));
        Some(Channel { name: name.unwrap_or(""), point: *output.point.get(index)? })
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> Vocabulary<'a> {
        self.vocabulary
    }

    /// Returns true if each bucket of the n-gram table has a fingerprint; then only n-grams with the fingerprint of
    /// their bucket count. False without an n-gram branch.
    #[cfg(feature = "ngrams")]
    pub fn has_ngram_fingerprints(&self) -> bool {
        self.ngrams.is_some_and(|table| table.fingerprints.is_some())
    }

    /// The statistics of the calibration.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The real number that 2^15 stands for in an embedded token, or in a normalised input value, as the bits of an
    /// IEEE 754 single, because this crate uses no floats. 0 if the model has no recurrent branch.
    pub fn embedding_scale_bits(&self) -> u32 {
        self.embedding_scale_bits
    }

    /// The golden examples, at least one.
    pub fn golden(&self) -> impl Iterator<Item = Golden<'a>> + use<'a> {
        let model = *self;
        (0..self.golden_logits.len() / self.classes()).map(move |index| model.golden_example(index))
    }

    /// A golden example; empty beyond the last.
    fn golden_example(&self, index: usize) -> Golden<'a> {
        Golden {
            text: self.golden.get(index).unwrap_or(""),
            values: self.value_parts().golden(index).unwrap_or(&[]),
            logits: row(self.golden_logits, self.classes(), index).unwrap_or(&[]),
        }
    }

    /// The number of classes, at least 1.
    fn classes(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.config.classes).guaranteed_or(NonZeroUsize::MIN)
    }

    /// The parts of a model that reads values; empty if the model reads text.
    pub(crate) fn value_parts(&self) -> &ValueParts<'a> {
        match &self.value_parts {
            Some(parts) => parts,
            None => &ValueParts::NONE,
        }
    }

    /// The precomputed input projection of a token in one direction, `[hidden_size * sums_of_unit]` with the
    /// [`sums_of_unit`](crate::layers::Summary::sums_of_unit) of the first layer; none if the token is not folded.
    /// `is_reverse`: true for the reverse direction.
    #[inline]
    pub(crate) fn folded_sums(&self, id: u32, is_reverse: bool) -> Option<&'a [i32]> {
        self.folded.as_ref()?.find(id, is_reverse)
    }

    /// The multiply-accumulates of the recurrent layers, in all directions, for one token.
    pub fn macs_per_token(&self) -> usize {
        self.cells().iter().map(|cell| cell.summary().macs).sum()
    }

    /// The recurrent layers, each forward and then reverse; empty if the model has no recurrent branch.
    #[inline]
    pub(crate) fn cells(&self) -> &[Cell<'a>] {
        self.cells.get(..self.config.directions() * self.config.layers).guaranteed_or(&self.cells)
    }

    /// The first of [`cells`](Model::cells): the first layer, forward.
    #[inline]
    pub(crate) fn first_cell(&self) -> &Cell<'a> {
        let [first, ..] = &self.cells;
        first
    }

    /// Replaces the cells, so that the model runs from a copy of the weights; changes nothing if `cells` is empty.
    #[cfg(any(test, feature = "unpacked"))]
    pub(crate) fn with_cells(mut self, cells: impl Iterator<Item = Cell<'a>>) -> Self {
        self.cells.iter_mut().zip(cells).for_each(|(place, cell)| *place = cell);
        self
    }

    /// Returns true if the head reads the last hidden state where the layer wrote it, without a buffer: there is no
    /// pooling, merging or n-gram branch.
    pub(crate) fn head_reads_in_place(&self) -> bool {
        self.config.pools_last() && !self.config.reads_both_ways() && !self.config.counts_ngrams()
    }
}

#[cfg(test)]
mod tests;

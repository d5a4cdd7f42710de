//! What a model costs, known before it runs.

use crate::layers::Cell;
use crate::layers::linear::Linear;
use crate::model::Model;

/// What a model costs to run, at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of the recurrent layers for one token, both directions. Of a bidirectional model they are spent when
    /// the answer is asked for, and again for another answer after more tokens.
    pub macs_per_token: usize,
    /// As [`macs_per_token`](Cost::macs_per_token) for a token whose input half is ready-made.
    pub macs_per_folded_token: usize,
    /// How many tokens have a ready-made input half.
    pub folded_tokens: usize,
    /// Multiply-accumulates of the head for one answer.
    pub macs_per_answer: usize,
    /// Bytes of scratch that a session needs, of a bidirectional model without the tokens.
    pub scratch_bytes: usize,
    /// Bytes of scratch for each token that a bidirectional model keeps; 0 of other models.
    pub scratch_bytes_per_token: usize,
    /// Bytes of stack that a step takes at most, with all that it calls: [`Cost::STACK_BYTES`].
    pub stack_bytes: usize,
    /// Bytes of flash by what they hold.
    pub flash: Flash,
}

impl Cost {
    /// No step takes more stack, of any model on any core: `cargo xtask bench device` measures it on the target and fails where one does.
    pub const STACK_BYTES: usize = 512;
}

/// Bytes of a device file by what they hold. They add up to the file's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// The safetensors header with its length.
    pub header: usize,
    /// Weights, biases and multipliers of the recurrent layers.
    pub recurrent: usize,
    /// Those of the head.
    pub head: usize,
    /// The embedding, with its multipliers.
    pub embedding: usize,
    /// Ready-made input halves of frequent tokens.
    pub folded: usize,
    /// Tokens and their offsets.
    pub vocabulary: usize,
    /// Labels and their offsets.
    pub labels: usize,
    /// Golden texts, or values, and their logits.
    pub golden: usize,
    /// The name, channels, scales and the calibration's figures.
    pub other: usize,
}

impl Model<'_> {
    /// Multiply-accumulates of the first layer's input halves.
    fn input_macs(&self) -> usize {
        self.directions() * self.config.cell.gates() * self.config.hidden_size * self.config.embedding_dim
    }

    /// What the model costs to run, at worst.
    pub fn cost(&self) -> Cost {
        let head_macs = |layer: &Linear<'_>| layer.weight.macs();
        let scratch = |tokens: usize| 4 * self.scratch_len_for(tokens);
        // Over many tokens, that what is rounded up to words does not count.
        let per_token = (scratch(1_000) - scratch(0)) / 1_000;
        let numbers = self.numbers();
        let mut flash = Flash {
            header: self.header_len,
            recurrent: self.cells().iter().map(Cell::bytes).sum(),
            head: self.head.linear.bytes() + self.hidden.as_ref().map_or(0, |hidden| hidden.bytes()),
            embedding: self.embedding.weight.bytes()
                + 2 * self.embedding.multiplier.len()
                + 4 * usize::from(!self.embedding.multiplier.is_empty()),
            folded: self.folded.as_ref().map_or(0, |folded| folded.bytes()),
            vocabulary: self.vocabulary.byte_len(),
            labels: self.labels.byte_len(),
            golden: self.golden.byte_len()
                + 4 * (numbers.golden_offsets.len() + numbers.golden_values.len() + self.golden_logits.len()),
            other: 0,
        };
        let Flash { header, recurrent, head, embedding, folded, vocabulary, labels, golden, .. } = flash;
        let known = header + recurrent + head + embedding + folded + vocabulary + labels + golden;
        flash.other = self.file_len.saturating_sub(known);
        Cost {
            macs_per_token: self.macs_per_token(),
            macs_per_folded_token: self.macs_per_token().saturating_sub(self.input_macs()),
            folded_tokens: self.folded.as_ref().map_or(0, |folded| folded.ids.len()),
            macs_per_answer: head_macs(&self.head.linear) + self.hidden.as_ref().map_or(0, |hidden| head_macs(hidden)),
            scratch_bytes: scratch(0),
            scratch_bytes_per_token: per_token,
            stack_bytes: Cost::STACK_BYTES,
            flash,
        }
    }
}

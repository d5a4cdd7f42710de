//! The cost of a model: multiply-accumulates, RAM and flash, computed from its file.

use crate::layers::linear::Linear;
use crate::model::Model;

/// The largest cost of running a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// The multiply-accumulates of the recurrent layers for one token, in both directions. A bidirectional model runs
    /// all tokens when its logits are asked for, and all of them again if it has read more since.
    pub macs_per_token: usize,
    /// [`macs_per_token`](Cost::macs_per_token) for a folded token, whose input projection in the first layer is
    /// precomputed.
    pub macs_per_folded_token: usize,
    /// The number of folded tokens.
    pub folded_tokens: usize,
    /// The multiply-accumulates of the head, its hidden layer included, for all logits.
    pub macs_per_answer: usize,
    /// The bytes of scratch that a session needs, without the tokens that a bidirectional model keeps.
    pub scratch_bytes: usize,
    /// The bytes of scratch for each token that a bidirectional model keeps; 0 for other models.
    pub scratch_bytes_per_token: usize,
    /// The largest stack of a step and of all functions that it calls, in bytes: [`Cost::STACK_BYTES`].
    pub stack_bytes: usize,
    /// The bytes of flash, by content.
    pub flash: Flash,
}

impl Cost {
    /// The largest stack of a step for any model on any core, in bytes. `cargo xtask bench device` measures it on the
    /// targets and fails if a step takes more.
    pub const STACK_BYTES: usize = 640;
}

/// The bytes of a device file, by content. Their sum is the length of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// The safetensors header, including its length field.
    pub header: usize,
    /// Weights, biases and multipliers of the recurrent layers.
    pub recurrent: usize,
    /// Weights, biases and multipliers of the head: of the last layer and of the hidden layer.
    pub head: usize,
    /// The weights, multipliers and scale of the embedding.
    pub embedding: usize,
    /// The table of the n-gram branch, with its fingerprints and its scale.
    pub ngrams: usize,
    /// The ids and the precomputed input projections of the folded tokens.
    pub folded: usize,
    /// Tokens and their offsets.
    pub vocabulary: usize,
    /// Labels and their offsets.
    pub labels: usize,
    /// The golden examples and their logits.
    pub golden: usize,
    /// Everything else: for example the name, the channels, the scaling of values, the statistics of the calibration.
    pub other: usize,
}

impl Model<'_> {
    /// The multiply-accumulates of the first layer's input projections for one token, in all directions.
    fn input_macs(&self) -> usize {
        self.config.directions() * self.config.cell.gates() * self.config.hidden_size * self.config.embedding_dim
    }

    /// The bytes of the n-gram branch in the file: the table, its fingerprints, and 4 bytes for its scale.
    fn ngram_bytes(&self) -> usize {
        #[cfg(feature = "ngrams")]
        return self.ngrams.as_ref().map_or(0, |table| {
            table.rows.byte_len() + table.fingerprints.map_or(0, |fingerprints| fingerprints.byte_len()) + 4
        });
        #[cfg(not(feature = "ngrams"))]
        0
    }

    /// The largest cost of running the model.
    pub fn cost(&self) -> Cost {
        let head_macs = |layer: &Linear<'_>| layer.weight.macs();
        let scratch_bytes = |tokens: usize| 4 * self.scratch_len_for(tokens);
        // The difference is taken over 1,000 tokens, so that rounding up to whole words does not change the quotient.
        let scratch_bytes_per_token = (scratch_bytes(1_000) - scratch_bytes(0)) / 1_000;
        let values = self.value_parts();
        let mut flash = Flash {
            header: self.header_len,
            recurrent: self.cells().iter().map(|cell| cell.summary().bytes).sum(),
            head: self.head.linear.bytes() + self.hidden.as_ref().map_or(0, |hidden| hidden.bytes()),
            embedding: self.embedding.weight.bytes()
                + 2 * self.embedding.multiplier.len()
                // The 4 bytes of the scale, if there is an embedding.
                + 4 * usize::from(!self.embedding.multiplier.is_empty()),
            folded: self.folded.as_ref().map_or(0, |folded| folded.bytes()),
            vocabulary: self.vocabulary.byte_len(),
            labels: self.labels.byte_len(),
            ngrams: self.ngram_bytes(),
            golden: self.golden.byte_len()
                + 4 * (values.golden_offsets.len() + values.golden_values.len() + self.golden_logits.len()),
            // The rest of the file, computed below.
            other: 0,
        };
        let Flash { header, recurrent, head, embedding, folded, vocabulary, labels, golden, ngrams, .. } = flash;
        let known = header + recurrent + head + embedding + folded + vocabulary + labels + golden + ngrams;
        flash.other = self.file_len.saturating_sub(known);
        Cost {
            macs_per_token: self.macs_per_token(),
            macs_per_folded_token: self.macs_per_token().saturating_sub(self.input_macs()),
            folded_tokens: self.folded.as_ref().map_or(0, |folded| folded.ids.len()),
            macs_per_answer: head_macs(&self.head.linear) + self.hidden.as_ref().map_or(0, |hidden| head_macs(hidden)),
            scratch_bytes: scratch_bytes(0),
            scratch_bytes_per_token,
            stack_bytes: Cost::STACK_BYTES,
            flash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sizes, Spec};
    use tern_format::{Input, Output, Task};

    #[test]
    fn tables_that_a_file_does_not_have_take_no_bytes() {
        let flash = |spec: Spec| Model::from_bytes(&spec.file(1)).unwrap().cost().flash;
        let classifier = Spec::from(Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 });
        let language_model = flash(Spec { task: Task::LanguageModel, ..classifier });
        assert!(language_model.vocabulary > 0 && language_model.labels == 0);
        let forecast = flash(Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..classifier });
        // Three golden sequences of five steps in all: four offsets, the values of four channels, two logits each.
        let golden = 4 * (4 + 5 * 4 + 3 * 2);
        assert_eq!((forecast.vocabulary, forecast.labels, forecast.golden), (0, 0, golden));
    }
}

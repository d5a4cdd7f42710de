//! The names of tensors and of metadata keys.
//!
//! Weights have the names of PyTorch's `state_dict`, in a float model (`model.safetensors`) as in a device file.
//! [`LayerTensor`] builds the name of a recurrent layer's tensor from its parts: `lstm.weight_ih_l1_reverse`.
//!
//! A *scale tensor* holds the real number that the integer 2^15 stands for. Only programs on a host read it; the device
//! does not.
//!
//! A *shift* of the metadata is a number of bits from 0 to 8, `shift` in `docs/arithmetic.md`. The multipliers of a
//! layer have 16 bits; if its sums need larger ones, they are shifted left after the multiplication.

use core::fmt;

/// Declares the tensors that are not part of a recurrent layer.
macro_rules! tensors {
    ($($(#[$meta:meta])* $constant:ident = $name:literal)*) => {
        /// The tensors that are not part of a recurrent layer. V: vocabulary size; E: embedding dimension; F: width of
        /// the head's input; K: channels. Shapes are those of a device file with 8-bit weights.
        pub mod tensor {
            $($(#[$meta])* pub const $constant: &str = $name;)*

            /// All these names.
            pub const ALL: &[&str] = &[$($constant),*];
        }
    };
}

tensors! {
    /// The embedding of each token: `[V, E]`, also in a float model.
    EMBEDDING_WEIGHT = "embedding.weight"
    /// The weights of the head's hidden layer: `[head_hidden, F]`, also in a float model.
    HIDDEN_WEIGHT = "hidden.weight"
    /// The biases of the head's hidden layer: `[head_hidden]`, also in a float model.
    HIDDEN_BIAS = "hidden.bias"
    /// The weights of the last layer: `[outputs, F]`, or `[outputs, head_hidden]`, also in a float model.
    FC_WEIGHT = "fc.weight"
    /// The biases of the last layer: `[outputs]`, also in a float model.
    FC_BIAS = "fc.bias"

    /// The model's name in UTF-8, `[bytes]`; like all the following tensors but `ngrams.weight`, only in a device file.
    NAME = "name"
    /// Statistics of the calibration, `[4]`: the number of samples and of their tokens or time steps, the largest
    /// absolute pre-activation (Q16) and the largest absolute cell state (Q20).
    CALIBRATION = "calibration"
    /// Multipliers of 4-bit weights of the last layer, one for each group of 16 columns: `[outputs, groups]`.
    FC_GROUPS = "fc.group_multiplier"
    /// Row multipliers of the last layer: `[outputs]`.
    FC_MULTIPLIER = "fc.multiplier"
    /// Multipliers of 4-bit weights of the head's hidden layer: `[head_hidden, groups]`.
    HIDDEN_GROUPS = "hidden.group_multiplier"
    /// Row multipliers of the head's hidden layer: `[head_hidden]`.
    HIDDEN_MULTIPLIER = "hidden.multiplier"
    /// The scale tensor of the activations of the head's hidden layer: `[1]`.
    HIDDEN_SCALE = "hidden.scale"
    /// Multipliers of 4-bit embeddings: `[V, groups]`.
    EMBEDDING_GROUPS = "embedding.group_multiplier"
    /// Row multipliers of the embedding: `[V]`.
    EMBEDDING_MULTIPLIER = "embedding.multiplier"
    /// The scale tensor of an embedded token: `[1]`.
    EMBEDDING_SCALE = "embedding.scale"
    /// The start in `vocab.bytes` of each token but PAD and UNK, and the end of the last: `[V - 1]`.
    VOCAB_OFFSETS = "vocab.offsets"
    /// The tokens but PAD and UNK, UTF-8.
    VOCAB_BYTES = "vocab.bytes"
    /// The seed of the hashes of tokens in a vocabulary of fingerprints: `[1]`.
    VOCAB_SEED = "vocab.seed"
    /// The index of the first fingerprint of each bucket, and the number of all fingerprints: `[buckets + 1]`.
    VOCAB_BUCKETS = "vocab.buckets"
    /// The fingerprints of the tokens but PAD and UNK, in place of their texts: `[V - 2]`.
    VOCAB_FINGERPRINTS = "vocab.fingerprints"
    /// The start of each label in `labels.bytes`, and the end of the last: `[labels + 1]`.
    LABELS_OFFSETS = "labels.offsets"
    /// The labels, UTF-8.
    LABELS_BYTES = "labels.bytes"
    /// The probability below which a classifier refuses to answer, Q16, and the class that is a refusal, or −1: `[2]`.
    REFUSAL = "refusal"
    /// The start of each golden example, in bytes of `golden.bytes` or in steps of `golden.values`, and the end of the
    /// last: `[examples + 1]`.
    GOLDEN_OFFSETS = "golden.offsets"
    /// The texts of the golden examples, UTF-8.
    GOLDEN_BYTES = "golden.bytes"
    /// The values of the golden examples: `[steps, K]`.
    GOLDEN_VALUES = "golden.values"
    /// The exact logits of the golden examples: `[examples, logits]`.
    GOLDEN_LOGITS = "golden.logits"
    /// The start of each channel's name in `channels.bytes`, and the end of the last: `[K + 1]`.
    CHANNELS_OFFSETS = "channels.offsets"
    /// The names of the channels, UTF-8.
    CHANNELS_BYTES = "channels.bytes"
    /// The integer that stands for each channel's mean: `[K]`.
    INPUT_OFFSET = "input.offset"
    /// The multiplier that normalises each channel: `[K]`.
    INPUT_MULTIPLIER = "input.multiplier"
    /// The right shift after the multiplication that normalises each channel, 1 to 46: `[K]`.
    INPUT_SHIFT = "input.shift"
    /// The fractional bits of each channel's integers: `[K]`.
    INPUT_POINT = "input.point"
    /// The scale tensor of the normalised input: `[1]`.
    INPUT_SCALE = "input.scale"
    /// The integer that is added to each scaled output to give the predicted value: `[outputs]`. Where `output.last` is
    /// 1, the last value of the channel is added instead, or the channel's `input.offset` if there is no last value.
    OUTPUT_OFFSET = "output.offset"
    /// The multiplier that converts each output to its predicted value: `[outputs]`.
    OUTPUT_MULTIPLIER = "output.multiplier"
    /// The right shift after the multiplication that converts each output, 1 to 46: `[outputs]`.
    OUTPUT_SHIFT = "output.shift"
    /// The fractional bits of each predicted value: `[outputs]`.
    OUTPUT_POINT = "output.point"
    /// The channel that each output predicts: `[outputs]`.
    OUTPUT_CHANNEL = "output.channel"
    /// 1 if an output predicts the difference from the channel's last value, otherwise 0: `[outputs]`.
    OUTPUT_LAST = "output.last"
    /// The number of time steps that a forecast was trained to read: `[1]`.
    FORECAST_WINDOW = "forecast.window"
    /// The ids of the folded tokens, frequent tokens whose input projections are precomputed; ascending: `[tokens]`.
    FOLDED_IDS = "folded.ids"
    /// The precomputed input projections of the folded tokens, forward direction. `[tokens, hidden_size, 4]` for an
    /// LSTM or a GRU: four numbers for each unit, in the order of `.bias`. `[tokens, hidden_size]` for an RNN.
    FOLDED_SUMS = "folded.sums"
    /// The precomputed input projections of the folded tokens, reverse direction.
    FOLDED_SUMS_REVERSE = "folded.sums_reverse"
    /// The table of the n-gram branch: `[buckets, rank]`, also in a float model.
    NGRAMS_WEIGHT = "ngrams.weight"
    /// The scale tensor of the scaled sums of the n-gram branch: `[1]`.
    NGRAMS_SCALE = "ngrams.scale"
    /// The fingerprint of each bucket of the n-gram branch: `[buckets]`. Optional.
    NGRAMS_FINGERPRINT = "ngrams.fingerprint"
}

/// The names of a recurrent layer's parameters: the middle part of a [`LayerTensor`]'s name, with its leading dot.
pub mod parameter {
    /// The input weights W_ih: `[gates * hidden_size, input_size]` in a float model.
    pub const WEIGHT_IH: &str = ".weight_ih";
    /// The recurrent weights W_hh: `[gates * hidden_size, hidden_size]` in a float model.
    pub const WEIGHT_HH: &str = ".weight_hh";
    /// The input bias of a float model: `[gates * hidden_size]`.
    pub const BIAS_IH: &str = ".bias_ih";
    /// The recurrent bias of a float model: `[gates * hidden_size]`.
    pub const BIAS_HH: &str = ".bias_hh";
    /// The biases of a device file, both biases of a float model in one tensor. LSTM: `[hidden_size, 4]`, `i f g o`.
    /// GRU: `[hidden_size, 4]`, `r z n` of the input and `n` of the recurrent projection. RNN: `[hidden_size]`.
    pub const BIAS: &str = ".bias";
    /// The row multipliers of W_ih in a device file.
    pub const MULTIPLIER_IH: &str = ".multiplier_ih";
    /// The row multipliers of W_hh in a device file.
    pub const MULTIPLIER_HH: &str = ".multiplier_hh";
    /// Weights, biases and multipliers of each unit in one tensor: the packing `paired16` of a device file.
    pub const UNITS: &str = ".units";
    /// The scale tensor of the hidden states of a cell with ReLU: `[1]`.
    pub const SCALE: &str = ".scale";
    /// The group multipliers of 4-bit weights W_ih.
    pub const GROUPS_IH: &str = ".group_multiplier_ih";
    /// The group multipliers of 4-bit weights W_hh.
    pub const GROUPS_HH: &str = ".group_multiplier_hh";

    /// The names of the parameters that a device file can have.
    pub const DEVICE: [&str; 9] =
        [WEIGHT_IH, WEIGHT_HH, BIAS, MULTIPLIER_IH, MULTIPLIER_HH, UNITS, SCALE, GROUPS_IH, GROUPS_HH];
}

/// The suffix of the names of the reverse direction's tensors.
pub const REVERSE: &str = "_reverse";

/// Returns the suffix of the names of a layer's tensors, before [`REVERSE`]: `_l0` to `_l3`. `layer`: 0 to 3; a greater
/// number counts as 3.
pub const fn layer_suffix(layer: u8) -> &'static str {
    match layer {
        0 => "_l0",
        1 => "_l1",
        2 => "_l2",
        _ => "_l3",
    }
}

/// The name of a tensor of one direction of one recurrent layer. `Display` writes the name:
/// `lstm.weight_ih_l1_reverse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerTensor<'a> {
    /// The name of the cell's module: [`Cell::module`](crate::Cell::module).
    pub module: &'a str,
    /// One of the names in [`parameter`].
    pub parameter: &'a str,
    /// The layer, counted from 0.
    pub layer: u8,
    /// True for the reverse direction.
    pub reverse: bool,
}

impl LayerTensor<'_> {
    /// The parts of the name, in order.
    pub const fn parts(&self) -> [&str; 4] {
        [self.module, self.parameter, layer_suffix(self.layer), if self.reverse { REVERSE } else { "" }]
    }
}

impl fmt::Display for LayerTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

/// The keys of a device file's metadata.
pub mod key {
    /// The version of the format: [`VERSION`](crate::VERSION).
    pub const VERSION: &str = "tern.version";
    /// A [`Task`](crate::Task).
    pub const TASK: &str = "tern.task";
    /// An [`Input`](crate::Input).
    pub const INPUT: &str = "tern.input";
    /// A [`Tokenizer`](crate::Tokenizer).
    pub const TOKENIZER: &str = "tern.tokenizer";
    /// The kind of the vocabulary: `sorted` tokens, `bytes` for the tokenizer `bytes`, or `fingerprints` of tokens.
    pub const VOCABULARY: &str = "tern.vocabulary";
    /// A [`Cell`](crate::Cell).
    pub const CELL: &str = "tern.cell";
    /// The number of recurrent layers, 1 to 4; missing in a model without a recurrent branch.
    pub const LAYERS: &str = "tern.layers";
    /// The number of directions of each layer: 1 or 2.
    pub const DIRECTIONS: &str = "tern.directions";
    /// A [`Merge`](crate::Merge).
    pub const MERGE: &str = "tern.merge";
    /// A [`Pooling`](crate::Pooling).
    pub const POOLING: &str = "tern.pooling";
    /// An [`Output`](crate::Output).
    pub const OUTPUT: &str = "tern.output";
    /// A [`Packing`](crate::Packing).
    pub const PACKING: &str = "tern.packing";
    /// The left shift of the last layer's row sums after their multiplication.
    pub const SHIFT_FC: &str = "tern.shift.fc";
    /// The left shift of the row sums of the head's hidden layer after their multiplication.
    pub const SHIFT_HIDDEN: &str = "tern.shift.hidden";
    /// [`Ngrams::words`](crate::Ngrams::words). A file with this key has an n-gram branch.
    pub const NGRAM_WORDS: &str = "tern.ngrams.words";
    /// [`Ngrams::min_chars`](crate::Ngrams::min_chars).
    pub const NGRAM_MIN_CHARS: &str = "tern.ngrams.min_chars";
    /// [`Ngrams::max_chars`](crate::Ngrams::max_chars).
    pub const NGRAM_MAX_CHARS: &str = "tern.ngrams.max_chars";
    /// The constant part of the right shift of the n-gram branch's sums. The rest depends on the number of n-grams.
    pub const SHIFT_NGRAMS: &str = "tern.shift.ngrams";
    /// The right shift of the hidden states before they are pooled, in a model with both branches.
    pub const SHIFT_POOLED: &str = "tern.shift.pooled";
    /// The beginning of the keys of recurrent layers' shifts: the left shifts of the pre-activations. The module's name
    /// and the suffixes of a [`LayerTensor`](super::LayerTensor) follow: `tern.shift.lstm_l0`.
    pub const SHIFT: &str = "tern.shift.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_layer_tensors_are_those_of_pytorch() {
        let tensor = LayerTensor { module: "lstm", parameter: parameter::WEIGHT_IH, layer: 1, reverse: true };
        assert_eq!(std::format!("{tensor}"), "lstm.weight_ih_l1_reverse");
    }
}

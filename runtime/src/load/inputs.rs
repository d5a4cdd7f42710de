//! Reads the input of a model: the vocabulary and the embedding of a model that reads text, or the channels of a model
//! that reads values; and the texts or sequences of the golden examples, by which a device tests itself.

use core::num::NonZeroUsize;

use super::tensor_names::Tensor;
use super::tensor_reader::ANY;
use crate::config::Config;
use crate::features::{self, TOKEN_FINGERPRINTS};
use crate::layers::embedding::Embedding;
use crate::layers::matrix::Matrix;
use crate::layers::scaling::{MULTIPLIERS, POINTS, SHIFTS, Scaling, ValueParts, WINDOWS};
use crate::load::file::{Fault, File};
#[cfg(feature = "token_fingerprints")]
use crate::text::fingerprints::Fingerprints;
use crate::text::texts::{Texts, check_offsets};
use crate::text::vocabulary::Vocabulary;
use tern_format::{Task, TokenizerKind};

/// The input of a model, and the inputs of its golden examples.
pub(super) struct Inputs<'a> {
    /// Empty, as is the embedding, if the model reads values or has no recurrent branch.
    pub vocabulary: Vocabulary<'a>,
    pub embedding: Embedding<'a>,
    /// The channels with their scaling, and the golden sequences, if the model reads values.
    pub value_parts: Option<features::Values<ValueParts<'a>>>,
    /// The real value of 2^15 in an input `x` of the network, as the bits of an IEEE 754 single, for hosts.
    pub scale_bits: u32,
    /// The golden texts; empty if the model reads values.
    pub golden: Texts<'a>,
    /// The number of golden examples, texts or sequences.
    pub golden_count: usize,
}

/// Reads the input and writes its sizes, and the window of a forecast, to `config`.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn read<'a>(file: &File<'a>, config: &mut Config) -> Inputs<'a> {
    let inputs = if config.reads_values() { read_values(file, config) } else { read_tokens(file, config) };
    config.vocab_size = inputs.vocabulary.size();
    inputs
}

/// Reads the input of a model that reads text.
#[cfg_attr(feature = "errors", inline)]
fn read_tokens<'a>(file: &File<'a>, config: &mut Config) -> Inputs<'a> {
    let golden = file.texts(Tensor::GOLDEN_OFFSETS, Tensor::GOLDEN_BYTES);
    let mut inputs = Inputs {
        vocabulary: Vocabulary::EMPTY,
        embedding: Embedding { weight: Matrix::EMPTY, multiplier: &[] },
        value_parts: None,
        scale_bits: 0,
        golden,
        golden_count: golden.len(),
    };
    if config.is_recurrent() {
        inputs.vocabulary = vocabulary(file, config);
        let v = inputs.vocabulary.size() as u32;
        let width = dimension(file.columns(Tensor::EMBEDDING_WEIGHT) as usize);
        config.embedding_dim = width.get();
        // The embedding has no dimension for gates, which the 0 says.
        let weight = file.matrix([Tensor::EMBEDDING_WEIGHT, Tensor::EMBEDDING_GROUPS], [v, 0], width);
        let multiplier = file.multipliers(Tensor::EMBEDDING_MULTIPLIER, [v, 0, 0]);
        inputs.embedding = Embedding { weight, multiplier };
        inputs.scale_bits = file.real(Tensor::EMBEDDING_SCALE);
    }
    inputs
}

/// Reads the input of a model that reads values.
#[cfg_attr(feature = "errors", inline)]
fn read_values<'a>(file: &File<'a>, config: &mut Config) -> Inputs<'a> {
    let parts = value_parts(file, config);
    config.embedding_dim = dimension(parts.channels.len()).get();
    Inputs {
        vocabulary: Vocabulary::EMPTY,
        embedding: Embedding { weight: Matrix::EMPTY, multiplier: &[] },
        value_parts: features::Values::new(parts),
        scale_bits: file.real(Tensor::INPUT_SCALE),
        golden: Texts::EMPTY,
        // There is one offset more than sequences.
        golden_count: parts.golden_offsets.len().saturating_sub(1),
    }
}

/// Returns a size as a number that is not zero. A size of 0, for which a fault has been recorded already, becomes 1.
pub(super) fn dimension(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN)
}

/// Reads the scaling of channels or of predicted values, `count` of them, from its four tensors.
#[cfg_attr(feature = "errors", inline)]
fn scaling<'a>(file: &File<'a>, [offset, multiplier, shift, point]: [Tensor; 4], count: u32) -> Scaling<'a> {
    Scaling {
        offset: file.numbers(offset, count, [i32::MIN, i32::MAX]),
        multiplier: file.numbers(multiplier, count, MULTIPLIERS),
        shift: file.numbers(shift, count, SHIFTS),
        point: file.numbers(point, count, POINTS),
        ..Scaling::NONE
    }
}

/// Returns true if the file stores fingerprints of its tokens in place of their texts. Only a classifier may: a
/// language model writes its tokens as text, and the look-up of WordPiece needs their beginnings.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn has_token_fingerprints(file: &File<'_>, config: &Config) -> bool {
    let needs_texts = config.tokenizer.is_bytes() || config.tokenizer.kind == TokenizerKind::WordPiece;
    TOKEN_FINGERPRINTS
        && config.task == Task::Classify
        && !needs_texts
        && file.has(Tensor::VOCAB_FINGERPRINTS.name_hash())
}

/// Reads the vocabulary. The tokenizers of bytes have a fixed one, which is not in the file.
#[cfg_attr(feature = "errors", inline)]
fn vocabulary<'a>(file: &File<'a>, config: &Config) -> Vocabulary<'a> {
    if config.tokenizer.is_bytes() {
        return Vocabulary::BYTES;
    }
    #[cfg(feature = "token_fingerprints")]
    if has_token_fingerprints(file, config) {
        return fingerprint_vocabulary(file);
    }
    Vocabulary::new(file.texts(Tensor::VOCAB_OFFSETS, Tensor::VOCAB_BYTES)).unwrap_or_else(|index| {
        file.refuse(Fault::VocabularyOrder { index });
        Vocabulary::EMPTY
    })
}

/// Reads a vocabulary of fingerprints.
#[cfg(feature = "token_fingerprints")]
#[cfg_attr(feature = "errors", inline)]
fn fingerprint_vocabulary<'a>(file: &File<'a>) -> Vocabulary<'a> {
    let starts = file.list(Tensor::VOCAB_BUCKETS);
    let fingerprints = file.token_fingerprints(Tensor::VOCAB_FINGERPRINTS);
    let seed = file.words(Tensor::VOCAB_SEED, [1, 0, 0]).first().copied().unwrap_or_default();
    let fingerprints = Fingerprints { seed: seed as u32, starts, fingerprints };
    if let Err(index) = fingerprints.check_starts() {
        file.refuse(Fault::Texts { table: Tensor::VOCAB_BUCKETS, index });
    }
    if let Some(index) = fingerprints.out_of_order() {
        file.refuse(Fault::VocabularyOrder { index });
    }
    Vocabulary::of_fingerprints(fingerprints)
}

/// Reads the scaling of the predicted values, and the window of the forecast in time steps. `input`: the scaling of the
/// channels.
#[cfg_attr(feature = "errors", inline)]
fn forecast<'a>(file: &File<'a>, input: &Scaling<'_>) -> (Scaling<'a>, usize) {
    let [count, ..] = file.shape(Tensor::OUTPUT_OFFSET);
    let tensors = [Tensor::OUTPUT_OFFSET, Tensor::OUTPUT_MULTIPLIER, Tensor::OUTPUT_SHIFT, Tensor::OUTPUT_POINT];
    let output = scaling(file, tensors, count);
    let output = Scaling {
        channel: file.numbers(Tensor::OUTPUT_CHANNEL, count, [0, input.len().saturating_sub(1) as i32]),
        last: file.numbers(Tensor::OUTPUT_LAST, count, [0, 1]),
        ..output
    };
    // A prediction relative to the last value of a channel must have the same point as the channel.
    let differs = |(index, &point): (usize, &i32)| {
        let channel_point = output.channel_of(index).and_then(|channel| input.point.get(channel));
        output.last.get(index) == Some(&1) && channel_point != Some(&point)
    };
    if let Some(index) = output.point.iter().enumerate().position(differs) {
        file.refuse(Fault::Range { tensor: Tensor::OUTPUT_POINT, index });
    }
    let window = file.numbers(Tensor::FORECAST_WINDOW, 1, WINDOWS).first().copied().unwrap_or_default();
    (output, window as usize)
}

/// Reads the parts that only a model that reads values has, and writes the window of a forecast to `config`.
#[cfg_attr(feature = "errors", inline)]
fn value_parts<'a>(file: &File<'a>, config: &mut Config) -> ValueParts<'a> {
    let channels = file.texts(Tensor::CHANNELS_OFFSETS, Tensor::CHANNELS_BYTES);
    let tensors = [Tensor::INPUT_OFFSET, Tensor::INPUT_MULTIPLIER, Tensor::INPUT_SHIFT, Tensor::INPUT_POINT];
    let input = scaling(file, tensors, channels.len() as u32);
    let mut output = Scaling::NONE;
    if config.task == Task::Forecast {
        (output, config.window) = forecast(file, &input);
    }
    let golden_offsets = file.list(Tensor::GOLDEN_OFFSETS);
    let golden_values = file.words(Tensor::GOLDEN_VALUES, [ANY, channels.len() as u32, 0]);
    let steps = golden_values.len().checked_div(channels.len()).unwrap_or(0);
    if let Err(index) = check_offsets(golden_offsets, steps) {
        file.refuse(Fault::Texts { table: Tensor::GOLDEN_OFFSETS, index });
    }
    ValueParts { input, output, channels, golden_offsets, golden_values }
}

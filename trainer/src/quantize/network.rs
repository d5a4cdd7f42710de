//! Quantisation of all layers of a float model. A scale is the real value of the integer 2^15 in an activation.

use super::calibrate::Statistics;
use super::layer::{self, Layer, Scales};
use super::linear::{self, Linear};
use super::row::LargeWeights;
use super::{embedding, ngrams, scaling};
use crate::architecture::{Cell, Merge, names};
use crate::float_model::{Config, FloatModel};
use crate::recipe::{Bits, StoredTokens, Widths};
use crate::weights::Array;
use tern_format::limits::SHIFT;
use tern_format::{Input, Task, TokenizerKind};
use tern_runtime::LoadError;

/// The reasons why a float model cannot be quantised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// Weights are too large for the format.
    #[error(transparent)]
    LargeWeights(#[from] LargeWeights),
    /// A channel does not fit the format.
    #[error(transparent)]
    Channel(#[from] scaling::BadChannel),
    /// The vocabulary contains only PAD and UNK.
    #[error("the vocabulary contains only [PAD] and [UNK]; train with a smaller min_count")]
    EmptyVocabulary,
    /// The runtime refuses the device file.
    #[error("the runtime refuses the exported model: {0}")]
    Refused(LoadError),
}

/// The quantised input of a network.
#[derive(Debug)]
pub enum Inputs {
    /// The embedding, in the device's order.
    Tokens(embedding::Embedding),
    /// No input, for a model that has only an n-gram branch.
    None,
    /// Channels of numbers.
    Values {
        /// The real value of the integer 2^15 in the input `x`, in standard deviations.
        scale: f64,
        /// The fixed-point format of each channel.
        channels: Vec<scaling::Scaling>,
    },
}

/// A quantised model.
#[derive(Debug)]
pub struct Quantized {
    /// The widths of the weights.
    pub widths: Widths,
    /// The quantised input.
    pub inputs: Inputs,
    /// The recurrent layers: `[layer][direction]`.
    pub layers: Vec<Vec<Layer>>,
    /// The table of the n-gram branch, if there is one.
    pub ngrams: Option<ngrams::NgramTable>,
    /// The right shift of the hidden states before they are pooled.
    pub pooled_shift: u32,
    /// The hidden layer of the head, if there is one, and the real value of the integer 2^15 in its activations.
    pub hidden: Option<(Linear, f64)>,
    /// The last layer of the head.
    pub fc: Linear,
    /// The real value of the integer 2^15 in the input of the head, and in the input of the last layer. Both are the
    /// same without a hidden layer.
    pub head_scales: [f64; 2],
    /// The scale of each column of the head's input, as a multiple of the first of `head_scales`: `[head_width]`. The
    /// float weights of the head's first layer are multiplied by it before they are quantised.
    pub column_scales: Vec<f64>,
}

impl Quantized {
    /// Returns the float id of each device id.
    pub fn float_ids(&self, model: &FloatModel) -> Vec<u32> {
        match &self.inputs {
            Inputs::Tokens(embedding) => embedding.float_ids.iter().map(|&id| id as u32).collect(),
            _ => model.vocabulary().device_order(),
        }
    }
}

/// Returns the form in which the device file of a model stores its tokens: `wanted` if the model allows it, otherwise
/// texts.
pub fn allowed_tokens(wanted: StoredTokens, model: &FloatModel) -> StoredTokens {
    if check_token_fingerprints(model).is_ok() { wanted } else { StoredTokens::Texts }
}

/// Checks that the device file of a model can store fingerprints of its tokens: that it is a classifier of text with
/// recurrent layers, whose tokenizer is neither `bytes` nor `wordpiece`.
///
/// # Errors
///
/// A message that names what the model is instead.
pub fn check_token_fingerprints(model: &FloatModel) -> Result<(), String> {
    let config = model.config();
    let tokenizer = model.vocabulary().tokenizer();
    let needs_texts = matches!(tokenizer.kind, TokenizerKind::Bytes | TokenizerKind::WordPiece);
    let (expected, found) = if config.task != Task::Classify {
        ("a classifier", format!("is a {}", config.task.name()))
    } else if config.input != Input::Tokens {
        ("a model that reads text", "reads numbers".to_owned())
    } else if config.num_layers == 0 {
        ("recurrent layers", "has only an n-gram branch, which stores no tokens".to_owned())
    } else if needs_texts {
        ("a tokenizer of words or characters", format!("has `{}`", tokenizer.name()))
    } else {
        return Ok(());
    };
    Err(format!("--token-fingerprints: expected {expected}, but this model {found}; leave it out"))
}

/// Checks that a model supports these widths: weights of 4 bits need an even number of columns, and the width of a part
/// that the model does not have must be the default.
///
/// # Errors
///
/// A message that names the setting or size that does not fit.
pub fn check_widths(widths: Widths, config: &Config) -> Result<(), String> {
    let check_even = |name: &str, size: usize, option: &str| {
        let message = format!(
            "`{name}` is {size}, expected an even number for weights of 4 bits; leave {option} out or train another model"
        );
        if size.is_multiple_of(2) { Ok(()) } else { Err(message) }
    };
    if config.num_layers == 0 && widths != Widths::default() {
        return Err("embedding_bits and recurrent_bits are for models with recurrent layers; leave them out".to_owned());
    }
    if widths.embedding != Bits::Eight && config.input == Input::Values {
        return Err("embedding_bits is for models that read text, but this one reads numbers; leave it out".to_owned());
    }
    if widths.embedding == Bits::Four {
        check_even("embedding_dim", config.embedding_dim, "--embedding-bits")?;
    }
    if widths.recurrent == Bits::Four {
        check_even("hidden_size", config.hidden_size, "--recurrent-bits")?;
        let name = if config.input == Input::Tokens { "embedding_dim" } else { "channels" };
        check_even(name, config.architecture().input.width(), "--recurrent-bits")?;
    }
    Ok(())
}

/// Quantises all layers of a model. `stored`: the form of the vocabulary in the device file.
///
/// # Errors
///
/// [`QuantizeError::LargeWeights`] if weights are too large for the format, [`QuantizeError::Channel`] if a channel
/// does not fit it.
pub fn layers(
    model: &FloatModel,
    statistics: &Statistics,
    widths: Widths,
    stored: StoredTokens,
) -> Result<Quantized, QuantizeError> {
    let (config, weights) = (model.config(), model.weights());
    let (inputs, input_scale) = inputs(model, statistics, widths.embedding, stored)?;
    let (layers, state_scale) = recurrent_layers(model, statistics, (&inputs, input_scale), widths.recurrent)?;
    // The scale of the two directions' states after they are merged.
    let merged_scale = match (config.bidirectional, config.merge) {
        (true, Merge::Sum) => 2.0 * state_scale,
        (true, Merge::Product) => state_scale * state_scale,
        _ => state_scale,
    };
    let ngrams = config
        .ngrams
        .as_ref()
        .map(|branch| ngrams::quantize(branch, &weights[names::NGRAMS], statistics.largest_ngrams));

    // The head reads the pooled states, and then the scaled sums of the n-gram branch.
    let ngram_scale = ngrams.as_ref().map_or(1.0, |table| table.scale);
    let head_scale = if layers.is_empty() { ngram_scale } else { merged_scale };
    // The columns of the n-gram branch have another scale than the head's input; their weights are multiplied by this.
    let relative_ngram_scale = ngram_scale / head_scale;
    let head_width = statistics.mean_head_input.len();
    let rank = config.ngrams.as_ref().map_or(0, |branch| branch.rank);
    let pooled_width = head_width - rank;
    let first_layer = if config.head_hidden > 0 { names::HIDDEN_WEIGHT } else { names::FC_WEIGHT };
    let rows = weights[first_layer].data.chunks_exact(head_width);
    let pooled_shift = pooled_shift(rows, pooled_width, relative_ngram_scale);
    let pooled_scale = f64::from(1u32 << pooled_shift);
    let column_scales = [vec![pooled_scale; pooled_width], vec![relative_ngram_scale; rank]].concat();
    let mean_head_input: Vec<f64> =
        statistics.mean_head_input.iter().zip(&column_scales).map(|(mean, scale)| mean / scale).collect();

    // The last layer reads the output of the hidden layer, or without one the head's input.
    let (mut fc_scale, mut fc_mean) = (head_scale, &mean_head_input);
    let mut hidden = None;
    if config.head_hidden > 0 {
        let scale = with_headroom(statistics.largest_hidden);
        let weight = scale_columns(&weights[names::HIDDEN_WEIGHT], &column_scales);
        let layer = ("hidden", &weight, &weights[names::HIDDEN_BIAS]);
        // ReLU reads Q20 times the scale of its output.
        let one = 2f64.powi(20) / scale;
        hidden = Some((linear::quantize(layer, &mean_head_input, head_scale, one)?, scale));
        (fc_scale, fc_mean) = (scale, &statistics.mean_hidden);
    }
    let [weight, bias] = [names::FC_WEIGHT, names::FC_BIAS].map(|name| in_device_order(model, &inputs, name));
    let weight = if hidden.is_some() { weight } else { scale_columns(&weight, &column_scales) };
    // Logits are Q16.
    let fc = linear::quantize(("fc", &weight, &bias), fc_mean, fc_scale, 2f64.powi(16))?;
    Ok(Quantized {
        widths,
        inputs,
        layers,
        ngrams,
        pooled_shift,
        hidden,
        fc,
        head_scales: [head_scale, fc_scale],
        column_scales,
    })
}

/// Returns a matrix with each column multiplied by its scale. `scales`: `[columns]`.
fn scale_columns(matrix: &Array, scales: &[f64]) -> Array {
    let weights = matrix.data.iter().zip(scales.iter().cycle());
    let data = weights.map(|(&weight, &scale)| (f64::from(weight) * scale) as f32).collect();
    Array { shape: matrix.shape.clone(), data }
}

/// Quantises the recurrent layers. Returns the layers, `[layer][direction]`, and the scale of the last layer's hidden
/// states. `input_scale`: the real value of the integer 2^15 in the input of the first layer.
fn recurrent_layers(
    model: &FloatModel,
    statistics: &Statistics,
    (inputs, input_scale): (&Inputs, f64),
    bits: Bits,
) -> Result<(Vec<Vec<Layer>>, f64), LargeWeights> {
    let recurrent = model.config().recurrent();
    // The mean of the first layer's input is that of the quantised embedding.
    let mean_embedding = match inputs {
        Inputs::Tokens(embedding) => Some(weighted_mean(&statistics.token_counts, &embedding.by_float_id())),
        Inputs::Values { .. } | Inputs::None => None,
    };
    let mut layers = Vec::new();
    let mut scale = input_scale;
    for (index, directions) in statistics.layers.iter().enumerate() {
        let largest_h = directions.iter().fold(0f64, |max, direction| max.max(direction.largest_h));
        // Both directions share a scale, because the layer above reads them concatenated.
        let h = if recurrent.cell == Cell::RnnRelu { with_headroom(largest_h) } else { 1.0 };
        let scales = Scales { x: scale, h };
        let quantized = directions.iter().zip(recurrent.directions()).map(|(statistics, &direction)| {
            let mean_x = match &mean_embedding {
                Some(mean_embedding) if index == 0 => mean_embedding.clone(),
                _ => statistics.mean_x.clone(),
            };
            let names = recurrent.names(index, direction);
            layer::quantize(model.weights(), (recurrent.cell, &names), statistics, mean_x, scales, bits)
        });
        layers.push(quantized.collect::<Result<Vec<_>, _>>()?);
        scale = h;
    }
    Ok((layers, scale))
}

/// Returns the right shift of the hidden states before they are pooled. A shift of n multiplies the weights of the
/// first `pooled_width` columns, which read hidden states, by 2^n. The result is the largest shift with which these
/// weights are not larger than those of the other columns, which read the n-gram branch, multiplied by
/// `relative_ngram_scale`; 0 if the model has only one of the two. `rows`: the weights of the head's first layer.
fn pooled_shift<'a>(rows: impl Iterator<Item = &'a [f32]>, pooled_width: usize, relative_ngram_scale: f64) -> u32 {
    let largest = |weights: &[f32]| weights.iter().fold(0f64, |largest, &weight| largest.max(weight.abs().into()));
    // The largest weights of all rows are added up, so that no single row determines the shift.
    let (mut pooled, mut ngrams) = (0f64, 0f64);
    for row in rows {
        let (pooled_weights, ngram_weights) = row.split_at(pooled_width);
        pooled += largest(pooled_weights);
        ngrams += largest(ngram_weights) * relative_ngram_scale;
    }
    if pooled == 0.0 {
        return 0;
    }
    (ngrams / pooled).log2().floor().clamp(0.0, f64::from(*SHIFT.end())) as u32
}

/// Quantises the embedding, or chooses the fixed-point formats of the channels. Also returns the real value of the
/// integer 2^15 in the first layer's input.
fn inputs(
    model: &FloatModel,
    statistics: &Statistics,
    bits: Bits,
    stored: StoredTokens,
) -> Result<(Inputs, f64), QuantizeError> {
    if model.config().num_layers == 0 {
        return Ok((Inputs::None, 1.0));
    }
    if model.config().input == Input::Tokens {
        let embedding = embedding::quantize(model.vocabulary(), &model.weights()[names::EMBEDDING], bits, stored);
        let scale = embedding.scale;
        return Ok((Inputs::Tokens(embedding), scale));
    }
    let scale = with_headroom(statistics.largest_x);
    let channels = model.config().channels.iter().map(|channel| scaling::channel(channel, scale));
    Ok((Inputs::Values { scale, channels: channels.collect::<Result<_, _>>()? }, scale))
}

/// Returns the scale of an unbounded activation: 1.25 times the largest value on the calibration set, or 1 if that is
/// 0. Larger values saturate on the device.
fn with_headroom(largest: f64) -> f64 {
    if largest > 0.0 { f64::from((1.25 * largest) as f32) } else { 1.0 }
}

/// Returns the mean of `rows`, each weighted by its count.
fn weighted_mean(counts: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let total = counts.iter().sum::<f64>().max(1.0);
    let mut mean = vec![0.0; rows[0].len()];
    for (&count, row) in counts.iter().zip(rows) {
        if count > 0.0 {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += count / total * value);
        }
    }
    mean
}

/// Returns a parameter of the last layer. For a language model, whose outputs are tokens, the rows are in the order of
/// the device ids.
fn in_device_order(model: &FloatModel, inputs: &Inputs, name: &str) -> Array {
    let array = &model.weights()[name];
    match inputs {
        Inputs::Tokens(embedding) if model.config().task == Task::LanguageModel => {
            // The number of columns of the weight; 1 for the bias.
            let width = array.data.len() / embedding.float_ids.len();
            let rows = embedding.float_ids.iter().flat_map(|&id| &array.data[id * width..][..width]);
            Array { shape: array.shape.clone(), data: rows.copied().collect() }
        }
        _ => array.clone(),
    }
}

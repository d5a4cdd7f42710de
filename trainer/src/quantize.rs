//! Post-training quantisation: converts a float model to the bytes of a device file.
//!
//! [`calibrate`](calibrate::calibrate) runs the float model over training rows. Each row of weights is then quantised
//! by itself ([`row`]), the biases are corrected for the change of the mean by rounding, and `tern_runtime` loads the
//! result and computes the golden logits. `docs/arithmetic.md` defines the integers, `docs/format.md` their place in
//! the file.

pub mod calibrate;
pub mod embedding;
pub mod layer;
pub mod linear;
pub mod row;
pub mod scaling;
mod tensors;

use calibrate::Statistics;
pub use row::Bits;
use tern_runtime::write::{Aligned, Dtype, Tensor, in_4_bits, packed, to_bytes};
use tern_runtime::{LoadError, Model, Packing};

use crate::architecture::{self, Cell, names};
use crate::float_model::{Config, FloatModel};
use crate::weights::Array;
use tern_format::{Input, Task};

/// Bound for accumulators: 2^31 with a margin for the rounding of the bound itself.
const LIMIT: f64 = 2_147_000_000.0;

/// The largest shift that the format allows.
const LARGEST_SHIFT: u32 = 8;

/// Weights that are too large for every shift of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer `{layer}` has weights or biases too large for the device format; train with more weight decay")]
pub struct LargeWeights {
    /// Name of the layer.
    pub layer: String,
}

/// Why a float model cannot be quantised.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// Weights are too large for the format.
    #[error(transparent)]
    LargeWeights(#[from] LargeWeights),
    /// A channel does not fit the format.
    #[error(transparent)]
    Channel(#[from] scaling::BadChannel),
    /// The vocabulary contains only PAD and UNK.
    #[error("the vocabulary has no token but [PAD] and [UNK]; train with a smaller min_count")]
    EmptyVocabulary,
    /// The runtime refuses the result.
    #[error("the runtime refuses the exported model: {0}")]
    Refused(LoadError),
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The golden examples of a device file, without their logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Golden {
    /// Texts, for a model that reads tokens.
    Texts(Vec<String>),
    /// Sequences of the channels' integers, each `[steps * channels]`, for a model that reads values.
    Sequences(Vec<Vec<i32>>),
}

impl Golden {
    fn len(&self) -> usize {
        match self {
            Golden::Texts(texts) => texts.len(),
            Golden::Sequences(sequences) => sequences.len(),
        }
    }

    fn tensors(&self, channels: usize) -> Vec<Tensor> {
        match self {
            Golden::Texts(texts) => Tensor::texts("golden", texts.iter().map(String::as_str)).into(),
            Golden::Sequences(sequences) => {
                let mut offsets = vec![0u32];
                for sequence in sequences {
                    offsets.push(offsets[offsets.len() - 1] + (sequence.len() / channels) as u32);
                }
                let values = sequences.concat();
                vec![
                    Tensor::new("golden.offsets", Dtype::U32, &[offsets.len()], &offsets),
                    Tensor::new("golden.values", Dtype::I32, &[values.len() / channels, channels], &values),
                ]
            }
        }
    }
}

/// The bits of the weights that are configurable; all others have 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// Bits of the embedding.
    pub embedding: Bits,
    /// Bits of W_ih and W_hh of all recurrent layers.
    pub recurrent: Bits,
}

impl Widths {
    /// Checks that a model supports these widths: 4 bits need an even number of columns.
    ///
    /// # Errors
    ///
    /// Returns the size that does not fit.
    pub fn check(self, config: &Config) -> Result<(), String> {
        let odd = |name: &str, size: usize, option: &str| {
            let message = format!(
                "`{name}` is {size}, expected an even number for weights of 4 bits; leave {option} out or train another model"
            );
            if size.is_multiple_of(2) { Ok(()) } else { Err(message) }
        };
        if self.embedding != Bits::Eight && config.input == Input::Values {
            return Err(
                "embedding_bits is for models that read text, but this one reads numbers; leave it out".to_owned()
            );
        }
        if self.embedding == Bits::Four {
            odd("embedding_dim", config.embedding_dim, "--embedding-bits")?;
        }
        if self.recurrent == Bits::Four {
            odd("hidden_size", config.hidden_size, "--recurrent-bits")?;
            let name = if config.input == Input::Tokens { "embedding_dim" } else { "channels" };
            odd(name, config.architecture().input.width(), "--recurrent-bits")?;
        }
        Ok(())
    }

    /// Packs a tensor to 4 bits if these widths ask for it. Its values are already rounded to 4 bits.
    fn narrow(self, tensor: Tensor) -> Vec<Tensor> {
        let recurrent = tensor.name.contains(".weight_ih_") || tensor.name.contains(".weight_hh_");
        let bits = match tensor.name.as_str() {
            names::EMBEDDING => self.embedding,
            _ if recurrent => self.recurrent,
            _ => Bits::Eight,
        };
        if bits == Bits::Four { in_4_bits(&tensor).into() } else { vec![tensor] }
    }
}

/// The quantised input of a network.
#[derive(Debug)]
pub enum Inputs {
    /// The embedding, in the device's order.
    Tokens(embedding::Embedding),
    /// Channels of numbers.
    Values {
        /// The real value of `x` = 2^15, in standard deviations.
        scale: f64,
        /// The fixed-point format of each channel.
        channels: Vec<scaling::Scaling>,
    },
}

impl Inputs {
    /// The real value of `x` = 2^15.
    pub fn scale(&self) -> f64 {
        match self {
            Inputs::Tokens(embedding) => embedding.scale,
            Inputs::Values { scale, .. } => *scale,
        }
    }
}

/// A quantised model.
#[derive(Debug)]
pub struct Quantized {
    /// Bits of the weights.
    pub widths: Widths,
    /// The input.
    pub inputs: Inputs,
    /// `[layer][direction]`
    pub layers: Vec<Vec<layer::Layer>>,
    /// The scales of each layer's input and output: `[layer][direction]`
    pub scales: Vec<Vec<layer::Scales>>,
    /// The mean of each layer's quantised input: `[layer][direction][input_size]`.
    pub mean_x: Vec<Vec<Vec<f64>>>,
    /// The hidden layer of the head, and the real value of the integer 2^15 in its activations.
    pub hidden: Option<(linear::Linear, f64)>,
    /// The last layer.
    pub fc: linear::Linear,
    /// The real value of the integer 2^15 in the input of the head, and in the input of the last layer.
    pub read_scales: [f64; 2],
}

/// The scale of an unbounded activation: 1.25 times the largest calibrated value. Larger values saturate.
fn headroom(largest: f64) -> f64 {
    if largest > 0.0 { f64::from((1.25 * largest) as f32) } else { 1.0 }
}

/// Quantises all layers.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn layers(model: &FloatModel, statistics: &Statistics, widths: Widths) -> Result<Quantized, QuantizeError> {
    let (config, weights, recurrent) = (model.config(), model.weights(), model.config().recurrent());
    let inputs = match config.input {
        Input::Tokens => {
            Inputs::Tokens(embedding::quantize(model.vocabulary(), &weights[names::EMBEDDING], widths.embedding))
        }
        Input::Values => {
            let scale = headroom(statistics.largest_x);
            let channels = config.channels.iter().map(|channel| scaling::channel(channel, scale));
            Inputs::Values { scale, channels: channels.collect::<Result<_, _>>()? }
        }
    };
    let mean_x_device = match &inputs {
        Inputs::Tokens(embedding) => Some(mean(&statistics.counts, &embedding.by_desktop_id())),
        Inputs::Values { .. } => None,
    };
    let (mut all, mut all_scales, mut all_mean_x, mut x) = (vec![], vec![], vec![], inputs.scale());
    for (index, ways) in statistics.layers.iter().enumerate() {
        let largest = ways.iter().fold(0f64, |max, way| max.max(way.largest_h));
        // Both directions share a scale, because the layer above reads them concatenated.
        let h = if recurrent.cell == Cell::RnnRelu { headroom(largest) } else { 1.0 };
        let scales = layer::Scales { x, h, bits: widths.recurrent };
        let mean_x: Vec<Vec<f64>> = ways
            .iter()
            .map(|way| mean_x_device.clone().filter(|_| index == 0).unwrap_or_else(|| way.mean_x.clone()))
            .collect();
        let ways = ways.iter().zip(recurrent.directions()).zip(&mean_x).map(|((way, &direction), mean_x)| {
            let names = recurrent.names(index, direction);
            layer::quantize(weights, (recurrent.cell, &names), way, mean_x, scales)
        });
        all.push(ways.collect::<Result<Vec<_>, _>>()?);
        all_scales.push(vec![scales; mean_x.len()]);
        all_mean_x.push(mean_x);
        x = h;
    }
    // The scale of the merged states.
    let merged = match (recurrent.bidirectional, recurrent.merge) {
        (true, architecture::Merge::Sum) => 2.0 * x,
        (true, architecture::Merge::Product) => x * x,
        _ => x,
    };
    let (mut read, mut mean_read) = (merged, &statistics.mean_read);
    let mut hidden = None;
    if config.head_hidden > 0 {
        let scale = headroom(statistics.largest_hidden);
        let layer = ("hidden", &weights[names::HIDDEN_WEIGHT], &weights[names::HIDDEN_BIAS]);
        hidden = Some((linear::quantize(layer, mean_read, merged, 2f64.powi(20) / scale)?, scale));
        (read, mean_read) = (scale, &statistics.mean_hidden);
    }
    let [weight, bias] = [names::FC_WEIGHT, names::FC_BIAS].map(|name| outputs_of_device(model, &inputs, name));
    let fc = linear::quantize(("fc", &weight, &bias), mean_read, read, 2f64.powi(16))?;
    Ok(Quantized {
        widths,
        inputs,
        layers: all,
        scales: all_scales,
        mean_x: all_mean_x,
        hidden,
        fc,
        read_scales: [merged, read],
    })
}

/// A parameter of the last layer. The rows of a language model are tokens and are sorted by device id.
fn outputs_of_device(model: &FloatModel, inputs: &Inputs, name: &str) -> Array {
    let array = &model.weights()[name];
    match inputs {
        Inputs::Tokens(embedding) if model.config().task == Task::LanguageModel => {
            let width = array.data.len() / embedding.desktop_ids.len();
            let rows = embedding.desktop_ids.iter().flat_map(|&id| &array.data[id * width..][..width]);
            Array { shape: array.shape.clone(), data: rows.copied().collect() }
        }
        _ => array.clone(),
    }
}

/// Writes the device file of a quantised model. The runtime computes the golden logits. `packing` must support the
/// widths.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn to_file(
    model: &FloatModel,
    statistics: &Statistics,
    quantized: &Quantized,
    golden: &Golden,
    packing: Packing,
) -> Result<Vec<u8>, QuantizeError> {
    if model.config().input == Input::Tokens && model.vocabulary().len() < 3 {
        return Err(QuantizeError::EmptyVocabulary);
    }
    let metadata = tensors::words(model, quantized).metadata();
    let (metadata, tensors) = packed(packing, &metadata, tensors::tensors(model, statistics, quantized));
    let mut tensors: Vec<Tensor> = tensors.into_iter().flat_map(|tensor| quantized.widths.narrow(tensor)).collect();
    tensors.extend(golden.tensors(model.config().channels.len()));
    // A sigmoid output is stored as two logits.
    let classes = model.labels().len().max(quantized.fc.rows.len());
    let place = |logits: &[i32]| Tensor::new("golden.logits", Dtype::I32, &[golden.len(), classes], logits);

    let draft = [tensors.clone(), vec![place(&vec![0; golden.len() * classes])]].concat();
    let draft = Aligned::new(&to_bytes(&metadata, draft));
    let model = Model::from_bytes(&draft).map_err(|error| match error {
        // Each half of a row fits 32 bits, so only a pre-activation in the thousands can overflow.
        LoadError::Overflow { tensor, .. } => {
            LargeWeights { layer: tensor.as_str().split('.').next().unwrap_or_default().to_owned() }.into()
        }
        other => QuantizeError::Refused(other),
    })?;
    tensors.push(place(&golden_logits(&model)));
    Ok(to_bytes(&metadata, tensors))
}

/// The mean of `rows`, weighted by `counts`.
fn mean(counts: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let total = counts.iter().sum::<f64>().max(1.0);
    let mut mean = vec![0.0; rows[0].len()];
    for (count, row) in counts.iter().zip(rows).filter(|(count, _)| **count > 0.0) {
        mean.iter_mut().zip(row).for_each(|(mean, v)| *mean += count / total * v);
    }
    mean
}

fn golden_logits(model: &Model<'_>) -> Vec<i32> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    model.golden().flat_map(|golden| session.run_golden(&golden).iter().collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests;

//! Post-training quantisation: a float model to the bytes of a device file.
//!
//! [`calibrate`](calibrate::calibrate) runs the float model over training texts. Then each row is quantised on its own
//! ([`row`]), biases make up for what rounding the weights does to the mean, and `tern_runtime` loads the result and gives
//! the golden logits. What the integers mean is in `docs/arithmetic.md`, where they lie in `docs/format.md`.

pub mod calibrate;
pub mod embedding;
pub mod layer;
pub mod linear;
pub mod row;
mod supported;

use calibrate::Statistics;
pub use supported::{Unsupported, check};
use tern_runtime::text::Kind;
use tern_runtime::write::{Aligned, Dtype, Tensor, Words, to_bytes};
use tern_runtime::{CellKind, Input, LoadError, Merge, Model, Output, Packing, Pooling, Task};

use crate::architecture::{self, Cell};
use crate::float_model::FloatModel;
use crate::weights::names;

/// Sums stay below 2^31, with a margin for the bounds' own rounding.
const LIMIT: f64 = 2_147_000_000.0;

/// The largest shift that the format allows.
const LARGEST_SHIFT: u32 = 8;

/// Weights that no shift of the format can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer `{layer}` has weights or biases too large for the device format; train with more weight decay")]
pub struct LargeWeights {
    /// The layer.
    pub layer: String,
}

/// Why a float model cannot become a device file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantizeError {
    /// A network that the device format has no place for.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// Weights that the format cannot hold.
    #[error(transparent)]
    LargeWeights(#[from] LargeWeights),
    /// The vocabulary has only PAD and UNK.
    #[error("the vocabulary has no token but [PAD] and [UNK]; train with a smaller min_count")]
    EmptyVocabulary,
    /// The runtime refuses what was made.
    #[error("the runtime refuses the exported model: {0}")]
    Refused(LoadError),
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// All layers of a model, quantised.
#[derive(Debug)]
pub struct Quantized {
    /// The embedding, in the device's order.
    pub embedding: embedding::Embedding,
    /// `[layer][direction]`
    pub layers: Vec<Vec<layer::Layer>>,
    /// The real value of `h` = 2^15 in each layer.
    pub state_scales: Vec<f64>,
    /// The hidden layer of the head, and the real value of 2^15 in its activations.
    pub hidden: Option<(linear::Linear, f64)>,
    /// The last layer.
    pub fc: linear::Linear,
}

/// A scale for values of max(0, x), which have no bound of their own: a quarter more than the largest seen, and past it they saturate.
fn headroom(largest: f64) -> f64 {
    if largest > 0.0 { f64::from((1.25 * largest) as f32) } else { 1.0 }
}

/// Quantises all layers.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn layers(model: &FloatModel, statistics: &Statistics) -> Result<Quantized, QuantizeError> {
    let (weights, recurrent) = (model.weights(), model.config().recurrent());
    let embedding = embedding::quantize(model.vocabulary(), &weights[names::EMBEDDING]);
    let mean_x_device = mean(&statistics.counts, &embedding.by_desktop_id());
    let (mut all, mut state_scales, mut x) = (Vec::new(), Vec::new(), embedding.scale);
    for (index, ways) in statistics.layers.iter().enumerate() {
        let largest = ways.iter().fold(0f64, |max, way| max.max(way.largest_h));
        // Both directions share a scale: the layer above reads them side by side.
        let h = if recurrent.cell == Cell::RnnRelu { headroom(largest) } else { 1.0 };
        let scales = layer::Scales { x, h };
        let ways = ways.iter().zip(recurrent.directions()).map(|(way, &direction)| {
            let names = recurrent.names(index, direction);
            let mean_x = if index == 0 { &mean_x_device } else { &way.mean_x };
            layer::quantize(weights, (recurrent.cell, &names), way, mean_x, scales)
        });
        all.push(ways.collect::<Result<Vec<_>, _>>()?);
        state_scales.push(h);
        x = h;
    }
    // What stands for 1 in the merged states.
    let mut read = match (recurrent.bidirectional, recurrent.merge) {
        (true, architecture::Merge::Sum) => 2.0 * x,
        (true, architecture::Merge::Product) => x * x,
        _ => x,
    };
    let mut mean_read = &statistics.mean_read;
    let mut hidden = None;
    if model.config().head_hidden > 0 {
        let scale = headroom(statistics.largest_hidden);
        let layer = ("hidden", &weights[names::HIDDEN_WEIGHT], &weights[names::HIDDEN_BIAS]);
        hidden = Some((linear::quantize(layer, mean_read, read, 2f64.powi(20) / scale)?, scale));
        (read, mean_read) = (scale, &statistics.mean_hidden);
    }
    let fc = ("fc", &weights[names::FC_WEIGHT], &weights[names::FC_BIAS]);
    let fc = linear::quantize(fc, mean_read, read, 2f64.powi(16))?;
    Ok(Quantized { embedding, layers: all, state_scales, hidden, fc })
}

/// The device file of a model, with the golden texts' logits as the runtime gives them.
///
/// # Errors
///
/// See [`QuantizeError`].
pub fn quantize(model: &FloatModel, statistics: &Statistics, golden: &[&str]) -> Result<Vec<u8>, QuantizeError> {
    check(model.config())?;
    if model.vocabulary().len() < 3 {
        return Err(QuantizeError::EmptyVocabulary);
    }
    let quantized = layers(model, statistics)?;
    let metadata = words(model, &quantized).metadata();
    let mut tensors = tensors(model, statistics, &quantized);
    tensors.extend(Tensor::texts("golden", golden.iter().copied()));
    let labels = model.labels().len();
    let place = |logits: &[i32]| Tensor::new("golden.logits", Dtype::I32, &[golden.len(), labels], logits);

    let draft = [tensors.clone(), vec![place(&vec![0; golden.len() * labels])]].concat();
    let draft = Aligned::new(&to_bytes(&metadata, draft));
    let model = Model::from_bytes(&draft).map_err(|error| match error {
        // Each row's sums are kept clear of 32 bits; what is left is a pre-activation in the thousands.
        LoadError::Overflow { tensor, .. } => {
            LargeWeights { layer: tensor.as_str().split('.').next().unwrap_or_default().to_owned() }.into()
        }
        other => QuantizeError::Refused(other),
    })?;
    let logits = golden_logits(&model, golden);
    tensors.push(place(&logits));
    Ok(to_bytes(&metadata, tensors))
}

/// The words of the device's page; `config.json` has the same.
fn word<T: Copy>(all: &[T], name: &str, word: impl Fn(T) -> &'static str) -> T {
    *all.iter().find(|value| word(**value) == name).expect("both pages have the same words")
}

/// What the file says of a classifier.
fn words(model: &FloatModel, quantized: &Quantized) -> Words {
    let config = model.config();
    let cell = word(CellKind::ALL, config.cell.name(), CellKind::word);
    Words {
        task: Task::Classify,
        input: Input::Tokens,
        tokenizer: model.vocabulary().tokenizer(),
        cell,
        packing: Packing::plain(cell),
        layers: config.num_layers,
        bidirectional: config.bidirectional,
        merge: word(Merge::ALL, config.merge.name(), Merge::word),
        pooling: word(Pooling::ALL, config.pooling.name(), Pooling::word),
        output: word(Output::ALL, config.output.name(), Output::word),
        shifts: quantized.layers.iter().flatten().map(|layer| layer.shift).collect(),
        hidden_shift: quantized.hidden.as_ref().map(|(layer, _)| layer.shift),
        fc_shift: quantized.fc.shift,
    }
}

/// The mean of `rows`, each counted so many times.
fn mean(counts: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let total = counts.iter().sum::<f64>().max(1.0);
    let mut mean = vec![0.0; rows[0].len()];
    for (count, row) in counts.iter().zip(rows).filter(|(count, _)| **count > 0.0) {
        mean.iter_mut().zip(row).for_each(|(mean, v)| *mean += count / total * v);
    }
    mean
}

fn golden_logits(model: &Model<'_>, golden: &[&str]) -> Vec<i32> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    golden.iter().flat_map(|text| session.classify(text.as_bytes()).iter().collect::<Vec<_>>()).collect()
}

fn weights_of(rows: &[row::Row]) -> Vec<i8> {
    rows.iter().flat_map(|row| row.weights.clone()).collect()
}

fn multipliers_of(rows: &[row::Row]) -> Vec<i16> {
    rows.iter().map(|row| row.multiplier).collect()
}

/// A single real number, for hosts.
fn real(name: &str, value: f64) -> Tensor {
    Tensor::new(name, Dtype::F32, &[1], &[(value as f32).to_bits()])
}

/// Everything but the golden texts.
fn tensors(model: &FloatModel, statistics: &Statistics, quantized: &Quantized) -> Vec<Tensor> {
    let (config, embedding) = (model.config(), &quantized.embedding);
    let (v, e) = (config.vocab_size, config.embedding_dim);
    let fixed = |value: f64, q: i32| (value * 2f64.powi(q)).round().min(f64::from(i32::MAX)) as i32;
    let figures = [
        statistics.texts as i32,
        statistics.tokens as i32,
        fixed(statistics.largest_z, 16),
        fixed(statistics.largest_c, 20),
    ];
    let name = name(&config.name);
    let mut tensors = vec![
        Tensor::new("name", Dtype::U8, &[name.len()], name.as_bytes()),
        Tensor::new("embedding.weight", Dtype::I8, &[v, e], &weights_of(&embedding.rows)),
        Tensor::new("embedding.multiplier", Dtype::I16, &[v], &multipliers_of(&embedding.rows)),
        real("embedding.scale", embedding.scale),
        Tensor::new("calibration", Dtype::I32, &[4], &figures),
    ];
    let places = Words::places(config.num_layers, config.bidirectional);
    let scales = quantized.state_scales.iter().flat_map(|&scale| [scale].repeat(places.len() / config.num_layers));
    for ((place, layer), scale) in places.iter().zip(quantized.layers.iter().flatten()).zip(scales) {
        tensors.extend(layer_tensors(config.cell, place, layer));
        if config.cell == Cell::RnnRelu {
            tensors.push(real(&format!("rnn.scale_{place}"), scale));
        }
    }
    if let Some((hidden, scale)) = &quantized.hidden {
        tensors.extend(linear_tensors("hidden", hidden));
        tensors.push(real("hidden.scale", *scale));
    }
    tensors.extend(linear_tensors("fc", &quantized.fc));
    tensors.extend(Tensor::texts("labels", config.labels.iter().map(String::as_str)));
    if model.vocabulary().tokenizer().kind != Kind::Bytes {
        tensors.extend(Tensor::texts("vocab", embedding.tokens.iter().map(String::as_str)));
    }
    tensors
}

fn linear_tensors(name: &str, layer: &linear::Linear) -> [Tensor; 3] {
    let (outputs, width) = (layer.rows.len(), layer.rows[0].weights.len());
    [
        Tensor::new(&format!("{name}.weight"), Dtype::I8, &[outputs, width], &weights_of(&layer.rows)),
        Tensor::new(&format!("{name}.bias"), Dtype::I32, &[outputs], &layer.biases),
        Tensor::new(&format!("{name}.multiplier"), Dtype::I16, &[outputs], &multipliers_of(&layer.rows)),
    ]
}

/// One direction of a layer: `[unit, column, gate]`; of cells with one row `[unit, column]`.
fn layer_tensors(cell: Cell, place: &str, layer: &layer::Layer) -> [Tensor; 5] {
    let (h, gates) = (layer.units.len(), cell.gates());
    let name = |parameter: &str| format!("{}.{parameter}_{place}", cell.module());
    let shape = |sizes: &[usize]| if gates > 1 { [sizes, &[gates]].concat() } else { sizes.to_vec() };
    let half = |pick: fn(&layer::GateRow) -> &row::Row| {
        let columns = pick(&layer.units[0][0]).weights.len();
        let units = layer.units.iter();
        let weights =
            units.flat_map(|rows| (0..columns).flat_map(move |at| rows.iter().map(move |r| pick(r).weights[at])));
        let multipliers = layer.units.iter().flatten().map(|row| pick(row).multiplier);
        (columns, weights.collect::<Vec<i8>>(), multipliers.collect::<Vec<i16>>())
    };
    let (columns, ih, multiplier_ih) = half(|row| &row.ih);
    let (_, hh, multiplier_hh) = half(|row| &row.hh);
    let mut bias: Vec<i32> = Vec::new();
    for rows in &layer.units {
        bias.extend(rows.iter().map(|row| row.bias));
        if cell == Cell::Gru {
            bias.push(rows[2].hidden_bias);
        }
    }
    let biases = if gates > 1 { vec![h, bias.len() / h] } else { vec![h] };
    [
        Tensor::new(&name("weight_ih"), Dtype::I8, &shape(&[h, columns]), &ih),
        Tensor::new(&name("weight_hh"), Dtype::I8, &shape(&[h, h]), &hh),
        Tensor::new(&name("bias"), Dtype::I32, &biases, &bias),
        Tensor::new(&name("multiplier_ih"), Dtype::I16, &shape(&[h]), &multiplier_ih),
        Tensor::new(&name("multiplier_hh"), Dtype::I16, &shape(&[h]), &multiplier_hh),
    ]
}

/// At most 64 bytes of a name, cut between characters, and never nothing.
fn name(name: &str) -> &str {
    let end = (0..=name.len().min(64)).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    if end == 0 { "model" } else { &name[..end] }
}

#[cfg(test)]
mod tests;

//! Post-training quantisation: a float model to the bytes of a device file.
//!
//! [`calibrate`](calibrate::calibrate) runs the float model over training texts. Then each row is quantised on its own
//! ([`row`]), biases make up for what rounding the weights does to the mean, and `tern_runtime` loads the result and gives
//! the golden logits. What the integers mean is in `docs/arithmetic.md`, where they lie in `docs/format.md`.

pub mod calibrate;
pub mod embedding;
pub mod head;
pub mod lstm;
pub mod row;
mod supported;

use calibrate::Statistics;
pub use supported::{Unsupported, check};
use tern_runtime::text::{Kind, Tokenizer};
use tern_runtime::write::{Aligned, Dtype, Tensor, Words, to_bytes};
use tern_runtime::{CellKind, Input, LoadError, Merge, Model, Output, Packing, Pooling, Task};

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

/// How much the mean of a row's sum falls when its weights and inputs are replaced.
fn lost(weights: &[f64], mean: &[f64], replaced: &[f64], replaced_mean: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(weights, mean) - dot(replaced, replaced_mean)
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
    let weights = model.weights();
    let table = &weights[names::EMBEDDING];
    let embedding = embedding::quantize(model.vocabulary(), table);
    let real: Vec<Vec<f64>> =
        table.data.chunks_exact(table.shape[1]).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
    let mean_x = mean(&statistics.counts, &real);
    let mean_x_quantized = mean(&statistics.counts, &embedding.by_desktop_id());
    let inputs = lstm::Inputs {
        scale: embedding.scale,
        mean_x: &mean_x,
        mean_x_quantized: &mean_x_quantized,
        mean_h: &statistics.mean_h,
    };
    let lstm = lstm::quantize(weights, &inputs)?;
    let head = head::quantize(&weights[names::FC_WEIGHT], &weights[names::FC_BIAS], &statistics.mean_last_h)?;

    let metadata = words(model.vocabulary().tokenizer(), lstm.shift, head.shift).metadata();
    let mut tensors = tensors(model, statistics, &embedding, &lstm, &head);
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

/// What the file says of a classifier of one LSTM layer.
fn words(tokenizer: Tokenizer, shift_lstm: u32, fc_shift: u32) -> Words {
    Words {
        task: Task::Classify,
        input: Input::Tokens,
        tokenizer,
        cell: CellKind::Lstm,
        packing: Packing::plain(CellKind::Lstm),
        layers: 1,
        bidirectional: false,
        merge: Merge::Concat,
        pooling: Pooling::Last,
        output: Output::Softmax,
        shifts: vec![shift_lstm],
        hidden_shift: None,
        fc_shift,
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

/// Everything but the golden texts.
fn tensors(
    model: &FloatModel,
    statistics: &Statistics,
    embedding: &embedding::Embedding,
    lstm: &lstm::Lstm,
    head: &head::Head,
) -> Vec<Tensor> {
    let config = model.config();
    let (v, e, h, c) = (config.vocab_size, config.embedding_dim, config.hidden_size, config.labels.len());
    let weights = |rows: &[row::Row]| rows.iter().flat_map(|row| row.weights.clone()).collect::<Vec<i8>>();
    let multipliers = |rows: &[row::Row]| rows.iter().map(|row| row.multiplier).collect::<Vec<i16>>();
    let ih: Vec<[&row::Row; 4]> = lstm.units.iter().map(|rows| rows.each_ref().map(|row| &row.ih)).collect();
    let hh: Vec<[&row::Row; 4]> = lstm.units.iter().map(|rows| rows.each_ref().map(|row| &row.hh)).collect();
    let bias: Vec<i32> = lstm.units.iter().flatten().map(|row| row.bias).collect();
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
        Tensor::new("embedding.weight", Dtype::I8, &[v, e], &weights(&embedding.rows)),
        Tensor::new("embedding.multiplier", Dtype::I16, &[v], &multipliers(&embedding.rows)),
        Tensor::new("embedding.scale", Dtype::F32, &[1], &[(embedding.scale as f32).to_bits()]),
        Tensor::new(names::W_IH, Dtype::I8, &[h, e, 4], &interleaved(&ih, e)),
        Tensor::new(names::W_HH, Dtype::I8, &[h, h, 4], &interleaved(&hh, h)),
        Tensor::new("lstm.bias_l0", Dtype::I32, &[h, 4], &bias),
        Tensor::new("lstm.multiplier_ih_l0", Dtype::I16, &[h, 4], &gate_multipliers(&ih)),
        Tensor::new("lstm.multiplier_hh_l0", Dtype::I16, &[h, 4], &gate_multipliers(&hh)),
        Tensor::new(names::FC_WEIGHT, Dtype::I8, &[c, h], &weights(&head.rows)),
        Tensor::new(names::FC_BIAS, Dtype::I32, &[c], &head.biases),
        Tensor::new("fc.multiplier", Dtype::I16, &[c], &multipliers(&head.rows)),
        Tensor::new("calibration", Dtype::I32, &[4], &figures),
    ];
    tensors.extend(Tensor::texts("labels", config.labels.iter().map(String::as_str)));
    if model.vocabulary().tokenizer().kind != Kind::Bytes {
        tensors.extend(Tensor::texts("vocab", embedding.tokens.iter().map(String::as_str)));
    }
    tensors
}

/// Packing `interleaved4`: `[unit, column, gate]`.
fn interleaved(units: &[[&row::Row; 4]], columns: usize) -> Vec<i8> {
    let mut weights = Vec::with_capacity(units.len() * columns * 4);
    for rows in units {
        for column in 0..columns {
            weights.extend(rows.map(|row| row.weights[column]));
        }
    }
    weights
}

fn gate_multipliers(units: &[[&row::Row; 4]]) -> Vec<i16> {
    units.iter().flat_map(|rows| rows.map(|row| row.multiplier)).collect()
}

/// At most 64 bytes of a name, cut between characters, and never nothing.
fn name(name: &str) -> &str {
    let end = (0..=name.len().min(64)).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    if end == 0 { "model" } else { &name[..end] }
}

#[cfg(test)]
mod tests;

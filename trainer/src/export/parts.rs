//! Measures the cost of quantising each part of a model alone.
//!
//! For each part, the float model runs with that part replaced by its dequantised integers, and its outputs are
//! compared with those of the unchanged float model. When a row of weights is replaced, its bias is corrected for the
//! change of the row's mean output, as the export does. One more part, `activations`, is the rounding of activations
//! and states: the difference between the float model with all parts replaced and the device file. The n-gram branch is
//! no part: training has already rounded its weights.

use super::figures::device_ids;
use super::score::{Costs, Outputs, Score};
use crate::architecture::{Architecture, CellBias, LayerNames, names};
use crate::device_file::DeviceFile;
use crate::float_model::FloatModel;
use crate::logits::{Logits, class_logits};
use crate::model::Model;
use crate::nn::network::{Input, Network};
use crate::nn::sample::{Sample, Steps};
use crate::quantize::layer::{GateRow, Layer, gate_names, has_recurrent_bias};
use crate::quantize::row::Row;
use crate::quantize::{Inputs, Quantized, calibrate::Statistics};
use crate::weights::{Array, Weights};
use rayon::prelude::*;
use serde::Serialize;
use tern_format::Task;
use tern_runtime::write::Metadata;

/// The cost of quantising one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartCost {
    /// The part: `embedding`, `lstm_l0 weight_ih g`, …, `fc`, `activations`.
    pub part: String,
    /// The number of bits of the part's integers.
    pub bits: u32,
    /// The cost of quantising it.
    #[serde(flatten)]
    pub costs: Costs,
}

/// A part of a model that is quantised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Embedding,
    /// The rows of one gate in one of its two matrices.
    Weights {
        layer: usize,
        direction: usize,
        half: Half,
        gate: usize,
    },
    /// All biases of the network.
    Biases,
    /// The hidden layer of the head.
    Hidden,
    /// The last layer.
    Fc,
}

/// One of the two matrices of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    /// W_ih, which is multiplied by the layer's input.
    Input,
    /// W_hh, which is multiplied by the hidden state.
    Recurrent,
}

/// A float model whose parts can be replaced by their quantised values one by one.
pub struct Parts<'a> {
    model: &'a FloatModel,
    quantized: &'a Quantized,
    statistics: &'a Statistics,
}

impl<'a> Parts<'a> {
    /// Creates the parts of `model` from its quantised form and from the statistics of its calibration.
    pub fn new(model: &'a FloatModel, quantized: &'a Quantized, statistics: &'a Statistics) -> Self {
        Parts { model, quantized, statistics }
    }

    /// Returns the parts that the model has.
    fn all(&self) -> Vec<Part> {
        let mut all = Vec::new();
        if matches!(self.quantized.inputs, Inputs::Tokens(_)) {
            all.push(Part::Embedding);
        }
        let gates = self.model.config().cell.gates();
        for (layer, directions) in self.quantized.layers.iter().enumerate() {
            for direction in 0..directions.len() {
                for half in [Half::Input, Half::Recurrent] {
                    all.extend((0..gates).map(|gate| Part::Weights { layer, direction, half, gate }));
                }
            }
        }
        all.push(Part::Biases);
        if self.quantized.hidden.is_some() {
            all.push(Part::Hidden);
        }
        all.push(Part::Fc);
        all
    }

    /// The name of a part: [`PartCost::part`].
    fn name(&self, part: Part) -> String {
        let config = self.model.config();
        match part {
            Part::Embedding => "embedding".to_owned(),
            Part::Weights { layer, direction, half, gate } => {
                let directions = self.quantized.layers[layer].len();
                let suffixes = Metadata::layer_suffixes(config.num_layers, config.bidirectional);
                let suffix = &suffixes[layer * directions + direction];
                let matrix = match half {
                    Half::Input => "weight_ih",
                    Half::Recurrent => "weight_hh",
                };
                format!("{}_{suffix} {matrix} {}", config.cell.module(), gate_names(config.cell)[gate])
            }
            Part::Biases => "biases".to_owned(),
            Part::Hidden => "hidden".to_owned(),
            Part::Fc => "fc".to_owned(),
        }
    }

    /// The number of bits of a part's integers: [`PartCost::bits`].
    fn bits(&self, part: Part) -> u32 {
        match part {
            Part::Biases => 32,
            Part::Embedding => self.quantized.widths.embedding.count(),
            Part::Weights { .. } => self.quantized.widths.recurrent.count(),
            Part::Hidden | Part::Fc => 8,
        }
    }

    /// Measures the cost of each part and of the activations on `samples`, and sorts them, the most expensive first.
    ///
    /// `progress` is called with the number of parts done and the number of all parts.
    pub fn costs(&self, device: &DeviceFile, samples: &[Sample], progress: &dyn Fn(usize, usize)) -> Vec<PartCost> {
        let parts = self.all();
        let parts_and_activations = parts.len() + 1;
        let score = Score::new(self.model, self.float_outputs(self.model.network(), samples), samples);
        let mut costs: Vec<PartCost> = Vec::new();
        for (done, &part) in parts.iter().enumerate() {
            progress(done, parts_and_activations);
            let outputs = self.float_outputs(&self.network(&[part]), samples);
            costs.push(PartCost { part: self.name(part), bits: self.bits(part), costs: score.costs(&outputs) });
        }
        progress(parts.len(), parts_and_activations);
        let all_replaced = self.float_outputs(&self.network(&parts), samples);
        let device_outputs = self.device_outputs(device, samples);
        let activations = Score::new(self.model, all_replaced, samples).costs(&device_outputs);
        costs.push(PartCost { part: "activations".to_owned(), bits: 16, costs: activations });
        costs.sort_by(|a, b| b.costs.order(&a.costs));
        costs
    }

    /// Runs a float network over each sample and returns its outputs: one row for each sample, or for each token of a
    /// language model.
    fn float_outputs(&self, network: &Network, samples: &[Sample]) -> Outputs {
        let task = self.model.config().task;
        let outputs_of = |sample: &Sample| match &sample.steps {
            Steps::Tokens(ids) if task == Task::LanguageModel => {
                let mut state = network.initial_state(1);
                let states: Vec<f32> = ids.iter().flat_map(|&id| network.step(&mut state, &[id]).to_vec()).collect();
                let outputs = network.outputs_of_states(&states);
                let vocab_size = outputs.len() / ids.len();
                outputs.chunks_exact(vocab_size).map(<[f32]>::to_vec).collect()
            }
            _ => {
                let outputs = network.outputs(Input::from(sample));
                vec![if task == Task::Classify { class_logits(&outputs) } else { outputs }]
            }
        };
        samples.par_iter().flat_map_iter(outputs_of).collect()
    }

    /// Runs the device file over each sample and returns its outputs as real numbers, in rows as
    /// [`float_outputs`](Self::float_outputs) returns them. The outputs of a language model are in the order of the
    /// float ids.
    fn device_outputs(&self, device: &DeviceFile, samples: &[Sample]) -> Outputs {
        let is_language_model = self.model.config().task == Task::LanguageModel;
        // Indexed by float id.
        let device_ids = device_ids(&self.quantized.float_ids(self.model));
        let outputs_of = |sample: &Sample| {
            let steps = match &sample.steps {
                Steps::Tokens(ids) => Steps::Tokens(ids.iter().map(|&id| device_ids[id as usize]).collect()),
                values => values.clone(),
            };
            let sample = Sample { steps, ..sample.clone() };
            let real = |logits: Logits| logits.nats().iter().map(|&logit| logit as f32).collect::<Vec<f32>>();
            if !is_language_model {
                return vec![real(device.outputs(Input::from(&sample)))];
            }
            let mut rows = Vec::new();
            device.with_reader(&mut |reader| {
                for &id in sample.steps.tokens() {
                    reader.read(id);
                    let by_device_id = reader.logits();
                    rows.push(device_ids.iter().map(|&id| by_device_id[id as usize]).collect());
                }
            });
            rows
        };
        samples.par_iter().flat_map_iter(outputs_of).collect()
    }

    /// Builds the float network with the parts `parts` replaced by their dequantised integers.
    fn network(&self, parts: &[Part]) -> Network {
        Network::new(&self.weights(parts), &self.architecture())
    }

    /// Returns the float weights with all parts replaced by their dequantised integers.
    pub(super) fn all_weights(&self) -> Weights {
        self.weights(&self.all())
    }

    /// Returns the float weights with the parts `parts` replaced by their dequantised integers.
    fn weights(&self, parts: &[Part]) -> Weights {
        let mut weights = self.model.weights().clone();
        for (name, shape) in self.architecture().shapes() {
            // Only a `bias_hh` can be missing: see `architecture`.
            if weights.get(&name).is_none() {
                let data = vec![0.0; shape.iter().product()];
                weights.insert(name, Array { shape, data });
            }
        }
        // Replacing weights corrects biases, so the biases are rounded last.
        for &part in parts {
            match part {
                Part::Embedding => self.replace_embedding(&mut weights),
                Part::Weights { layer, direction, half, gate } => {
                    self.replace_gate(&mut weights, layer, direction, half, gate);
                }
                Part::Hidden => {
                    let Some((hidden, _)) = &self.quantized.hidden else { continue };
                    let rows: Vec<&Row> = hidden.rows.iter().collect();
                    let names = [names::HIDDEN_WEIGHT, names::HIDDEN_BIAS];
                    let columns = Some(self.quantized.column_scales.as_slice());
                    replace_linear(&mut weights, names, &rows, &self.statistics.mean_head_input, columns);
                }
                Part::Fc => {
                    let names = [names::FC_WEIGHT, names::FC_BIAS];
                    // Only the first layer of the head reads scaled columns.
                    let (mean, columns) = if self.quantized.hidden.is_some() {
                        (&self.statistics.mean_hidden, None)
                    } else {
                        (&self.statistics.mean_head_input, Some(self.quantized.column_scales.as_slice()))
                    };
                    replace_linear(&mut weights, names, &self.fc_rows(), mean, columns);
                }
                Part::Biases => {}
            }
        }
        if parts.contains(&Part::Biases) {
            self.round_biases(&mut weights);
        }
        weights
    }

    /// Returns the quantised rows of the last layer in the order of the float rows: by float id for a language model.
    fn fc_rows(&self) -> Vec<&Row> {
        let rows = &self.quantized.fc.rows;
        if self.model.config().task == Task::LanguageModel {
            device_ids(&self.quantized.float_ids(self.model)).iter().map(|&id| &rows[id as usize]).collect()
        } else {
            rows.iter().collect()
        }
    }

    /// Replaces the embedding by its dequantised integers.
    fn replace_embedding(&self, weights: &mut Weights) {
        let Inputs::Tokens(embedding) = &self.quantized.inputs else { return };
        let rows = embedding.by_float_id().concat();
        weights.get_mut(names::EMBEDDING).data = rows.iter().map(|&value| value as f32).collect();
        // The change of the mean embedding is corrected in the first layer's biases.
        for direction in 0..self.quantized.layers[0].len() {
            let names = self.names(0, direction);
            let float_mean = &self.statistics.layers[0][direction].mean_x;
            let device_mean = &self.quantized.layers[0][direction].mean_x;
            let lost: Vec<f64> = float_mean.iter().zip(device_mean).map(|(float, device)| float - device).collect();
            let rows = self.model.weights()[&names.w_ih].data.chunks_exact(lost.len());
            for (bias, row) in weights.get_mut(&names.b_ih).data.iter_mut().zip(rows) {
                *bias += dot(row, &lost) as f32;
            }
        }
    }

    /// The model's architecture, but always with two biases in each cell, because the quantised GRU has a bias in each
    /// half. A model with one bias gets a `bias_hh` of zeros.
    pub(super) fn architecture(&self) -> Architecture {
        let mut architecture = self.model.config().architecture();
        architecture.recurrent.bias = CellBias::Two;
        architecture
    }

    /// The PyTorch names of the tensors of one direction of a layer.
    fn names(&self, layer: usize, direction: usize) -> LayerNames {
        let recurrent = self.architecture().recurrent;
        recurrent.names(layer, recurrent.directions()[direction])
    }

    /// Replaces the rows of one gate in one matrix of a layer, and corrects the biases of the gate.
    fn replace_gate(&self, weights: &mut Weights, layer: usize, direction: usize, half: Half, gate: usize) {
        let names = self.names(layer, direction);
        let quantized = &self.quantized.layers[layer][direction];
        let statistics = &self.statistics.layers[layer][direction];
        let cell = self.model.config().cell;
        // The matrix, the mean of its input, and the function that selects this half of a gate's row.
        let (matrix, mean, half_row): (_, _, fn(&GateRow) -> &Row) = match half {
            Half::Input => (&names.w_ih, &statistics.mean_x, |row| &row.ih),
            Half::Recurrent => (&names.w_hh, &statistics.mean_h, |row| &row.hh),
        };
        let has_own_bias = half == Half::Recurrent && has_recurrent_bias(cell, gate);
        let bias = if has_own_bias { bias_hh(&names) } else { &names.b_ih };
        for unit in 0..quantized.units.len() {
            let row = gate * quantized.units.len() + unit;
            replace_row(weights, [matrix, bias], row, &quantized.dequantize(cell, unit, gate, half_row), mean);
        }
    }

    /// Rounds every bias as [`rounded_bias`] does.
    fn round_biases(&self, weights: &mut Weights) {
        for (layer, directions) in self.quantized.layers.iter().enumerate() {
            for (direction, quantized) in directions.iter().enumerate() {
                self.round_layer_biases(weights, &self.names(layer, direction), quantized);
            }
        }
        let [head_scale, fc_scale] = self.quantized.head_scales;
        if let Some((hidden, _)) = &self.quantized.hidden {
            for (bias, row) in weights.get_mut(names::HIDDEN_BIAS).data.iter_mut().zip(&hidden.rows) {
                *bias = rounded_bias(*bias, row, head_scale);
            }
        }
        for (bias, row) in weights.get_mut(names::FC_BIAS).data.iter_mut().zip(self.fc_rows()) {
            *bias = rounded_bias(*bias, row, fc_scale);
        }
    }

    /// Rounds the biases of one direction of a layer. The device has one bias for PyTorch's two, except in a GRU's gate
    /// n: `bias_ih` becomes the sum of both, and `bias_hh` zero.
    fn round_layer_biases(&self, weights: &mut Weights, names: &LayerNames, layer: &Layer) {
        let hidden_size = layer.units.len();
        for (unit, rows) in layer.units.iter().enumerate() {
            for (gate, row) in rows.iter().enumerate() {
                let index = gate * hidden_size + unit;
                let b_hh = &mut weights.get_mut(bias_hh(names)).data[index];
                let mut moved = 0.0;
                if has_recurrent_bias(self.model.config().cell, gate) {
                    *b_hh = rounded_bias(*b_hh, &row.hh, layer.scales.h);
                } else {
                    moved = std::mem::take(b_hh);
                }
                let b_ih = &mut weights.get_mut(&names.b_ih).data[index];
                *b_ih = rounded_bias(*b_ih + moved, &row.ih, layer.scales.x);
            }
        }
    }
}

/// Rounds a bias to a multiple of the real number that the integer 1 is worth in the accumulator of its row. `scale`:
/// the real number that the input integer 2^15 is worth.
fn rounded_bias(bias: f32, row: &Row, scale: f64) -> f32 {
    let unit = row.step * scale / 32_768.0;
    ((f64::from(bias) / unit).round() * unit) as f32
}

/// The name of the second bias, which [`Parts::architecture`] always has.
fn bias_hh(names: &LayerNames) -> &str {
    names.b_hh.as_deref().expect("the architecture has two biases")
}

/// Replaces the weights of a linear layer by the dequantised ones of `rows`, and corrects its biases.
///
/// - `names`: the layer's weight and its bias.
/// - `rows`: the quantised rows in the order of the float rows.
/// - `mean`: the mean of the layer's input.
/// - `columns`: the factors by which the columns were multiplied before they were quantised; `None` if they were not.
fn replace_linear(weights: &mut Weights, names: [&str; 2], rows: &[&Row], mean: &[f64], columns: Option<&[f64]>) {
    for (index, row) in rows.iter().enumerate() {
        let mut real = row.dequantize(None);
        if let Some(columns) = columns {
            real.iter_mut().zip(columns).for_each(|(weight, factor)| *weight /= factor);
        }
        replace_row(weights, names, index, &real, mean);
    }
}

/// Replaces row `row` of a matrix by `real`, and adds to its bias what the row's mean output loses by this. `mean`: the
/// mean of the input.
fn replace_row(weights: &mut Weights, [matrix, bias]: [&str; 2], row: usize, real: &[f64], mean: &[f64]) {
    let float = &mut weights.get_mut(matrix).data[row * mean.len()..][..mean.len()];
    let lost = dot(float, mean) - real.iter().zip(mean).map(|(weight, mean)| weight * mean).sum::<f64>();
    for (weight, &replacement) in float.iter_mut().zip(real) {
        *weight = replacement as f32;
    }
    weights.get_mut(bias).data[row] += lost as f32;
}

/// Returns the dot product of a row of weights with the mean of its input.
fn dot(row: &[f32], mean: &[f64]) -> f64 {
    row.iter().zip(mean).map(|(&weight, mean)| f64::from(weight) * mean).sum()
}

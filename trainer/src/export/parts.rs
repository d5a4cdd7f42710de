//! Measures the cost of quantising each part of a model alone.
//!
//! For each part, the float model runs with that part replaced by its dequantised integers, and its outputs are
//! compared with those of the unchanged float model. When a row of weights is replaced, its bias is corrected for the
//! change of the row's mean output, as the export does. The last part, `activations`, is the rounding of activations
//! and states: the difference between the float model with all parts replaced and the device file. The n-gram branch is
//! no part: training has already rounded its weights.

use super::figures::device_ids;
use super::score::{Costs, Outputs, Score};
use crate::architecture::{Architecture, Cell, CellBias, LayerNames, names};
use crate::device_file::DeviceFile;
use crate::float_model::FloatModel;
use crate::logits::{Logits, class_logits};
use crate::model::Model;
use crate::nn::network::{Input, Network};
use crate::nn::sample::{Sample, Steps};
use crate::quantize::layer::{GateRow, has_recurrent_bias};
use crate::quantize::row::Row;
use crate::quantize::{Inputs, Quantized, calibrate::Statistics, linear::Linear};
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
    /// The rows of one gate in W_ih or, if `recurrent` is true, in W_hh.
    Weights {
        layer: usize,
        direction: usize,
        recurrent: bool,
        gate: usize,
    },
    /// All biases of the network.
    Biases,
    /// The hidden layer of the head.
    Hidden,
    /// The last layer.
    Fc,
}

/// The names of a cell's gates, in PyTorch's order.
pub(super) fn gate_names(cell: Cell) -> &'static [&'static str] {
    match cell {
        Cell::Lstm => &["i", "f", "g", "o"],
        Cell::Gru => &["r", "z", "n"],
        Cell::Rnn | Cell::RnnRelu => &["h"],
    }
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
        all.extend(matches!(self.quantized.inputs, Inputs::Tokens(_)).then_some(Part::Embedding));
        for (layer, directions) in self.quantized.layers.iter().enumerate() {
            for (direction, recurrent) in
                (0..directions.len()).flat_map(|direction| [(direction, false), (direction, true)])
            {
                let gates = 0..self.model.config().cell.gates();
                all.extend(gates.map(|gate| Part::Weights { layer, direction, recurrent, gate }));
            }
        }
        all.push(Part::Biases);
        all.extend(self.quantized.hidden.is_some().then_some(Part::Hidden));
        all.push(Part::Fc);
        all
    }

    /// The name of a part: [`PartCost::part`].
    fn name(&self, part: Part) -> String {
        let config = self.model.config();
        match part {
            Part::Embedding => "embedding".to_owned(),
            Part::Weights { layer, direction, recurrent, gate } => {
                let directions = self.quantized.layers[layer].len();
                let suffixes = Metadata::layer_suffixes(config.num_layers, config.bidirectional);
                let suffix = &suffixes[layer * directions + direction];
                let half = if recurrent { "weight_hh" } else { "weight_ih" };
                format!("{}_{suffix} {half} {}", config.cell.module(), gate_names(config.cell)[gate])
            }
            Part::Biases => "biases".to_owned(),
            Part::Hidden => "hidden".to_owned(),
            Part::Fc => "fc".to_owned(),
        }
    }

    /// Measures the cost of each part and of the activations on `samples`, and sorts them, the most expensive first.
    ///
    /// `progress` is called with the number of parts done and the number of all parts.
    pub fn costs(&self, device: &DeviceFile, samples: &[Sample], progress: &dyn Fn(usize, usize)) -> Vec<PartCost> {
        let parts = self.all();
        let score = Score::new(self.model, self.float_outputs(self.model.network(), samples), samples);
        let mut costs: Vec<PartCost> = Vec::new();
        for (done, &part) in parts.iter().enumerate() {
            progress(done, parts.len() + 1);
            let outputs = self.float_outputs(&self.network(&[part]), samples);
            let widths = self.quantized.widths;
            let bits = match part {
                Part::Biases => 32,
                Part::Embedding => widths.embedding.count(),
                Part::Weights { .. } => widths.recurrent.count(),
                Part::Hidden | Part::Fc => 8,
            };
            costs.push(PartCost { part: self.name(part), bits, costs: score.costs(&outputs) });
        }
        progress(parts.len(), parts.len() + 1);
        let all_replaced = self.float_outputs(&self.network(&parts), samples);
        let device_outputs = self.device_outputs(device, samples);
        let activations = Score::new(self.model, all_replaced, samples).costs(&device_outputs);
        costs.push(PartCost { part: "activations".to_owned(), bits: 16, costs: activations });
        costs.sort_by(|a, b| b.costs.order(&a.costs));
        costs
    }

    /// Runs a float network over each sample and returns its outputs.
    fn float_outputs(&self, network: &Network, samples: &[Sample]) -> Outputs {
        let every_step = self.model.config().task == Task::LanguageModel;
        let is_classifier = self.model.config().task == Task::Classify;
        let outputs_of = |sample: &Sample| match &sample.steps {
            Steps::Tokens(ids) if every_step => {
                let mut state = network.initial_state(1);
                let states: Vec<f32> = ids.iter().flat_map(|&id| network.step(&mut state, &[id]).to_vec()).collect();
                let outputs = network.outputs_of_states(&states);
                outputs.chunks_exact(outputs.len() / ids.len()).map(<[f32]>::to_vec).collect()
            }
            _ => {
                let outputs = network.outputs(Input::from(sample));
                vec![if is_classifier { class_logits(&outputs) } else { outputs }]
            }
        };
        samples.par_iter().flat_map_iter(outputs_of).collect()
    }

    /// Runs the device file over each sample and returns its outputs as real numbers, those of tokens in the order of
    /// the float ids.
    fn device_outputs(&self, device: &DeviceFile, samples: &[Sample]) -> Outputs {
        let every_step = self.model.config().task == Task::LanguageModel;
        let to_device = device_ids(self.model);
        let outputs_of = |sample: &Sample| {
            let steps = match &sample.steps {
                Steps::Tokens(ids) => Steps::Tokens(ids.iter().map(|&id| to_device[id as usize]).collect()),
                values => values.clone(),
            };
            let sample = Sample { steps, ..sample.clone() };
            let real = |logits: Logits| logits.nats().iter().map(|&logit| logit as f32).collect::<Vec<f32>>();
            if !every_step {
                return vec![real(device.outputs(Input::from(&sample)))];
            }
            let mut rows = Vec::new();
            device.with_reader(&mut |reader| {
                for &id in sample.steps.tokens() {
                    reader.read(id);
                    let by_device_id = reader.logits();
                    rows.push(to_device.iter().map(|&id| by_device_id[id as usize]).collect());
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
                Part::Weights { layer, direction, recurrent, gate } => {
                    self.replace_gate(&mut weights, (layer, direction), recurrent, gate);
                }
                Part::Hidden => {
                    let Some((hidden, _)) = &self.quantized.hidden else { continue };
                    let names = [names::HIDDEN_WEIGHT, names::HIDDEN_BIAS];
                    let columns = Some(self.quantized.column_scales.as_slice());
                    replace_linear(&mut weights, names, hidden, &self.statistics.mean_head_input, columns, None);
                }
                Part::Fc => {
                    let has_hidden = self.quantized.hidden.is_some();
                    let mean = if has_hidden { &self.statistics.mean_hidden } else { &self.statistics.mean_head_input };
                    let rows_are_tokens = self.model.config().task == Task::LanguageModel;
                    let rows = rows_are_tokens.then(|| device_ids(self.model));
                    let names = [names::FC_WEIGHT, names::FC_BIAS];
                    let columns = (!has_hidden).then_some(self.quantized.column_scales.as_slice());
                    replace_linear(&mut weights, names, &self.quantized.fc, mean, columns, rows.as_deref());
                }
                Part::Biases => {}
            }
        }
        if parts.contains(&Part::Biases) {
            self.round_biases(&mut weights);
        }
        weights
    }

    /// Replaces the embedding by its dequantised integers.
    fn replace_embedding(&self, weights: &mut Weights) {
        let Inputs::Tokens(embedding) = &self.quantized.inputs else { return };
        let rows = embedding.by_float_id().concat();
        weights.get_mut(names::EMBEDDING).data = rows.iter().map(|&value| value as f32).collect();
        // The change of the mean embedding is corrected in the first layer's biases.
        for direction in 0..self.quantized.layers[0].len() {
            let names = self.names(0, direction);
            let (float, device) =
                (&self.statistics.layers[0][direction].mean_x, &self.quantized.layers[0][direction].mean_x);
            let lost: Vec<f64> = float.iter().zip(device).map(|(float, device)| float - device).collect();
            let w_ih = &self.model.weights()[&names.w_ih].data;
            let sums: Vec<f64> = w_ih.chunks_exact(lost.len()).map(|row| dot(row, &lost)).collect();
            weights.get_mut(&names.b_ih).data.iter_mut().zip(sums).for_each(|(bias, sum)| *bias += sum as f32);
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

    /// Replaces the rows of one gate in W_ih or, if `recurrent` is true, in W_hh, and corrects the biases of the gate.
    fn replace_gate(&self, weights: &mut Weights, (layer, direction): (usize, usize), recurrent: bool, gate: usize) {
        let names = self.names(layer, direction);
        let quantized = &self.quantized.layers[layer][direction];
        let statistics = &self.statistics.layers[layer][direction];
        let cell = self.model.config().cell;
        let half: fn(&GateRow) -> &Row = if recurrent { |row| &row.hh } else { |row| &row.ih };
        let (name, mean) =
            if recurrent { (&names.w_hh, &statistics.mean_h) } else { (&names.w_ih, &statistics.mean_x) };
        let bias = if recurrent && has_recurrent_bias(cell, gate) { bias_hh(&names) } else { &names.b_ih };
        for unit in 0..quantized.units.len() {
            let row = gate * quantized.units.len() + unit;
            replace_row(weights, [name, bias], row, &quantized.dequantize(cell, unit, gate, half), mean);
        }
    }

    /// Rounds every bias to a multiple of the real value of the integer 1 in the accumulator of its row: the real value
    /// of the weight 1 times that of the input 1, which is 1/2^15 of the input's scale.
    fn round_biases(&self, weights: &mut Weights) {
        let round = |bias: &mut f32, step: f64| *bias = ((f64::from(*bias) / step).round() * step) as f32;
        for (layer, directions) in self.quantized.layers.iter().enumerate() {
            for (direction, quantized) in directions.iter().enumerate() {
                let (names, scales) = (self.names(layer, direction), quantized.scales);
                let hidden_size = quantized.units.len();
                for (unit, rows) in quantized.units.iter().enumerate() {
                    for (gate, row) in rows.iter().enumerate() {
                        let index = gate * hidden_size + unit;
                        // The device has one bias for PyTorch's two, except in a GRU's gate n.
                        let b_hh = &mut weights.get_mut(bias_hh(&names)).data[index];
                        let from_b_hh = if has_recurrent_bias(self.model.config().cell, gate) {
                            round(b_hh, row.hh.step * scales.h / 32_768.0);
                            0.0
                        } else {
                            std::mem::take(b_hh)
                        };
                        let b_ih = &mut weights.get_mut(&names.b_ih).data[index];
                        *b_ih += from_b_hh;
                        round(b_ih, row.ih.step * scales.x / 32_768.0);
                    }
                }
            }
        }
        let [head_scale, fc_scale] = self.quantized.head_scales;
        let to_device = device_ids(self.model);
        let fc_rows_are_tokens = self.model.config().task == Task::LanguageModel;
        let mut round_linear = |name: &str, layer: &Linear, scale: f64, rows_are_tokens: bool| {
            for (index, bias) in weights.get_mut(name).data.iter_mut().enumerate() {
                let row = if rows_are_tokens { to_device[index] as usize } else { index };
                round(bias, layer.rows[row].step * scale / 32_768.0);
            }
        };
        if let Some((hidden, _)) = &self.quantized.hidden {
            round_linear(names::HIDDEN_BIAS, hidden, head_scale, false);
        }
        round_linear(names::FC_BIAS, &self.quantized.fc, fc_scale, fc_rows_are_tokens);
    }
}

/// The name of the second bias, which [`Parts::architecture`] always has.
fn bias_hh(names: &LayerNames) -> &str {
    names.b_hh.as_deref().expect("the architecture has two biases")
}

/// Replaces the weights of a linear layer by the dequantised ones of `layer`. `names`: its weight and its bias. `mean`:
/// the mean of its input. `columns`: the factor of each column of the quantised weights, by which the result is
/// divided; `None` for 1. `rows`: the index of the quantised row for each float row; `None` if both have the same
/// order.
fn replace_linear(
    weights: &mut Weights,
    names: [&str; 2],
    layer: &Linear,
    mean: &[f64],
    columns: Option<&[f64]>,
    rows: Option<&[u32]>,
) {
    for index in 0..layer.rows.len() {
        let row = rows.map_or(index, |rows| rows[index] as usize);
        let mut real = layer.rows[row].dequantize(None);
        real.iter_mut().zip(columns.unwrap_or_default()).for_each(|(weight, scale)| *weight /= scale);
        replace_row(weights, names, index, &real, mean);
    }
}

/// Replaces one row of a matrix, and adds to its bias what the row's mean output loses by this. `mean`: the mean of the
/// input.
fn replace_row(weights: &mut Weights, [matrix, bias]: [&str; 2], row: usize, quantized: &[f64], mean: &[f64]) {
    let float = &mut weights.get_mut(matrix).data[row * mean.len()..][..mean.len()];
    let lost = dot(float, mean) - quantized.iter().zip(mean).map(|(weight, mean)| weight * mean).sum::<f64>();
    float.iter_mut().zip(quantized).for_each(|(float, &quantized)| *float = quantized as f32);
    weights.get_mut(bias).data[row] += lost as f32;
}

/// Returns the dot product of a row of weights with the mean of its input.
fn dot(row: &[f32], mean: &[f64]) -> f64 {
    row.iter().zip(mean).map(|(&weight, mean)| f64::from(weight) * mean).sum()
}

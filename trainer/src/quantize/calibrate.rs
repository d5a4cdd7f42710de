//! Calibration: the ranges and means of the float model's activations on training rows. The ranges determine the scales
//! of unbounded activations. The means determine how the biases correct the effect of rounding the weights.

use crate::architecture::{Cell, LayerNames, names};
use crate::float_model::FloatModel;
use crate::nn::network::{Input, Trace};
use crate::nn::packed::Direction;
use crate::nn::recurrent::Biases;
use crate::nn::sample::Sample;
use crate::weights::Weights;
use tern_format::Task;

/// Number of steps after which calibration stops; the sample that reaches it is read to its end.
pub const STEPS: usize = 20_000;

/// Statistics of the float model on the calibration set.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Number of samples read: texts or sequences.
    pub samples: usize,
    /// Number of steps read: tokens or rows of values.
    pub steps: usize,
    /// Number of occurrences of each token, by float id: `[vocab_size]`. Empty for a model that reads values.
    pub token_counts: Vec<f64>,
    /// Largest absolute value of the normalised input; 0 for a model that reads tokens.
    pub largest_x: f64,
    /// The statistics of the recurrent layers: `[layer][direction]`.
    pub layers: Vec<Vec<LayerStatistics>>,
    /// Number of times that the head was applied: after each step of a language model, otherwise after each sample.
    pub head_runs: usize,
    /// Mean of the head's input: `[head_width]`.
    pub mean_head_input: Vec<f64>,
    /// Largest absolute value of the scaled sums of the n-gram branch; 0 without such a branch.
    pub largest_ngrams: f64,
    /// Mean of the activations of the head's hidden layer: `[head_hidden]`. Empty without a hidden layer.
    pub mean_hidden: Vec<f64>,
    /// Largest activation of the head's hidden layer.
    pub largest_hidden: f64,
    /// Largest absolute value of a gate's pre-activation.
    pub largest_pre_activation: f64,
    /// Largest absolute value of an LSTM's cell state; 0 for other cells.
    pub largest_cell_state: f64,
}

/// Statistics of one direction of a layer.
#[derive(Clone, Debug)]
pub struct LayerStatistics {
    /// Mean of the layer's input: `[input_size]`.
    pub mean_x: Vec<f64>,
    /// Mean of the hidden state before a step: `[hidden_size]`.
    pub mean_h: Vec<f64>,
    /// Largest absolute value of the hidden state.
    pub largest_h: f64,
    /// The pre-activations of each gate, in PyTorch's order.
    pub gates: Vec<GateStatistics>,
}

/// Statistics of a gate's pre-activations.
#[derive(Clone, Copy, Debug)]
pub struct GateStatistics {
    /// The smallest and the largest pre-activation; infinity and minus infinity without any.
    pub range: [f64; 2],
    /// Number of pre-activations.
    pub count: u64,
    /// Number of pre-activations z with |z| ≥ [`end_of_table`].
    pub saturated: u64,
}

impl GateStatistics {
    /// The statistics of no pre-activations.
    const NONE: GateStatistics = GateStatistics { range: [f64::INFINITY, f64::NEG_INFINITY], count: 0, saturated: 0 };

    /// Adds a pre-activation. `end`: the [`end_of_table`] of the gate.
    fn add(&mut self, z: f64, end: f64) {
        self.range = [self.range[0].min(z), self.range[1].max(z)];
        self.count += 1;
        self.saturated += u64::from(z.abs() >= end);
    }
}

/// Returns the largest argument in the device's table of a gate's activation: 4 for tanh, 8 for sigmoid, infinity for
/// ReLU, which has no table. `gate`: the gate's index in PyTorch's order.
pub fn end_of_table(cell: Cell, gate: usize) -> f64 {
    let is_tanh = match cell {
        Cell::Lstm | Cell::Gru => gate == 2,
        Cell::Rnn => true,
        Cell::RnnRelu => return f64::INFINITY,
    };
    if is_tanh { 4.0 } else { 8.0 }
}

/// Runs the float model over samples until at least [`STEPS`] steps are read, and returns the statistics of its
/// activations.
pub fn calibrate<'a>(model: &FloatModel, samples: impl IntoIterator<Item = &'a Sample>) -> Statistics {
    let (config, recurrent) = (model.config(), model.config().recurrent());
    let hidden_size = config.hidden_size;
    let directions = recurrent.directions().len();
    let layers = (0..recurrent.num_layers).map(|layer| {
        let input_size = if layer == 0 { config.architecture().input.width() } else { directions * hidden_size };
        let gates = vec![GateStatistics::NONE; config.cell.gates()];
        let (mean_x, mean_h) = (vec![0.0; input_size], vec![0.0; hidden_size]);
        vec![LayerStatistics { mean_x, mean_h, largest_h: 0.0, gates }; directions]
    });
    let mut statistics = Statistics {
        samples: 0,
        steps: 0,
        token_counts: vec![0.0; config.vocab_size],
        largest_x: 0.0,
        layers: layers.collect(),
        head_runs: 0,
        mean_head_input: vec![0.0; config.architecture().head_width()],
        largest_ngrams: 0.0,
        mean_hidden: vec![0.0; config.head_hidden],
        largest_hidden: 0.0,
        largest_pre_activation: 0.0,
        largest_cell_state: 0.0,
    };
    for sample in samples {
        if statistics.steps >= STEPS {
            break;
        }
        statistics.add(model, sample);
    }
    statistics.divide_sums();
    statistics
}

/// Adds each value to the sum of its column.
fn add_to_sums(sums: &mut [f64], values: &[f32]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += f64::from(value);
    }
}

/// Returns the largest absolute value; 0 without values.
fn largest_absolute(values: &[f32]) -> f64 {
    values.iter().fold(0f64, |largest, &value| largest.max(value.abs().into()))
}

impl Statistics {
    /// Divides the sums of all samples by the number of steps or of head runs, so that they become means.
    fn divide_sums(&mut self) {
        let (steps, head_runs) = (self.steps.max(1) as f64, self.head_runs.max(1) as f64);
        for layer in self.layers.iter_mut().flatten() {
            layer.mean_x.iter_mut().chain(&mut layer.mean_h).for_each(|sum| *sum /= steps);
        }
        self.mean_head_input.iter_mut().chain(&mut self.mean_hidden).for_each(|sum| *sum /= head_runs);
    }

    /// Runs the model over a sample, and adds its activations. The means are sums until all samples have been added.
    fn add(&mut self, model: &FloatModel, sample: &Sample) {
        let (config, recurrent) = (model.config(), model.config().recurrent());
        let input = Input::from(sample);
        match input {
            Input::Tokens(ids) | Input::Text { ids, .. } => {
                ids.iter().for_each(|&id| self.token_counts[id as usize] += 1.0);
            }
            Input::Values(values) => {
                self.largest_x = self.largest_x.max(largest_absolute(values));
            }
        }
        let Trace { inputs, states, head_input, .. } = model.network().trace(input);
        for (layer, (inputs, states)) in inputs.iter().zip(&states).enumerate() {
            for (states, &direction) in states.iter().zip(recurrent.directions()) {
                let gates = Gates::new(config.cell, model.weights(), &recurrent.names(layer, direction));
                self.add_layer(layer, direction, &gates, inputs, states);
            }
        }
        // The head of a language model reads the state of the last layer, which has one direction, after each step.
        let every_step = config.task == Task::LanguageModel;
        let head_inputs = if every_step { &states[states.len() - 1][0] } else { &head_input };
        for head_input in head_inputs.chunks_exact(self.mean_head_input.len()) {
            let hidden = hidden_layer(model.weights(), head_input);
            // The scaled sums of the n-gram branch are the last columns.
            let rank = config.ngrams.as_ref().map_or(0, |branch| branch.rank);
            let ngrams = &head_input[head_input.len() - rank..];
            self.largest_ngrams = self.largest_ngrams.max(largest_absolute(ngrams));
            add_to_sums(&mut self.mean_head_input, head_input);
            add_to_sums(&mut self.mean_hidden, &hidden);
            self.largest_hidden = self.largest_hidden.max(largest_absolute(&hidden));
            self.head_runs += 1;
        }
        self.samples += 1;
        self.steps += sample.steps.len();
    }

    /// Adds the activations of one direction of a layer for one sequence. `inputs`: the layer's input,
    /// `[steps, input_size]`. `states`: the hidden state after each step, `[steps, hidden_size]`. The pre-activations,
    /// which the network does not store, are computed again.
    fn add_layer(&mut self, layer: usize, direction: Direction, gates: &Gates<'_>, inputs: &[f32], states: &[f32]) {
        let is_reverse = direction == Direction::Reverse;
        let statistics = &mut self.layers[layer][usize::from(is_reverse)];
        let (input_size, hidden_size) = (statistics.mean_x.len(), statistics.mean_h.len());
        // The states before the step: the hidden state, and the cell state, which only an LSTM has.
        let mut h = vec![0f32; hidden_size];
        let mut c = vec![0f64; hidden_size];
        let steps = states.len() / hidden_size;
        for step in 0..steps {
            let position = if is_reverse { steps - 1 - step } else { step };
            let x = &inputs[position * input_size..][..input_size];
            add_to_sums(&mut statistics.mean_x, x);
            add_to_sums(&mut statistics.mean_h, &h);
            let z = gates.pre_activations(x, &h);
            self.largest_pre_activation = z.iter().fold(self.largest_pre_activation, |max, z| max.max(z.abs()));
            for (gate, z_of_gate) in z.chunks_exact(hidden_size).enumerate() {
                for &z in z_of_gate {
                    statistics.gates[gate].add(z, end_of_table(gates.cell, gate));
                }
            }
            if gates.cell == Cell::Lstm {
                for (unit, c) in c.iter_mut().enumerate() {
                    // The gates are i, f, g and o; the cell state does not need o.
                    let [i, f, g] = [0, 1, 2].map(|gate| z[gate * hidden_size + unit]);
                    *c = sigmoid(f) * *c + sigmoid(i) * g.tanh();
                    self.largest_cell_state = self.largest_cell_state.max(c.abs());
                }
            }
            h.copy_from_slice(&states[position * hidden_size..][..hidden_size]);
            statistics.largest_h = statistics.largest_h.max(largest_absolute(&h));
        }
    }
}

/// The float weights and biases with which one direction of a layer computes its pre-activations.
pub(crate) struct Gates<'w> {
    cell: Cell,
    w_ih: &'w [f32],
    w_hh: &'w [f32],
    biases: Biases,
}

impl<'w> Gates<'w> {
    /// Returns the weights of the layer and direction whose parameters have the given names.
    pub(crate) fn new(cell: Cell, weights: &'w Weights, names: &LayerNames) -> Self {
        let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| weights[name].data.as_slice());
        Gates { cell, w_ih, w_hh, biases: Biases::of_layer(cell, weights, names) }
    }

    /// Computes the pre-activations of a step, `[gates * hidden_size]`. `x`: `[input_size]`; `h`: `[hidden_size]`.
    pub(crate) fn pre_activations(&self, x: &[f32], h: &[f32]) -> Vec<f64> {
        let rows = self.w_ih.chunks_exact(x.len()).zip(self.w_hh.chunks_exact(h.len()));
        let mut z: Vec<f64> = Vec::with_capacity(self.biases.input.len());
        for (row, ((ih, hh), &bias)) in rows.zip(&self.biases.input).enumerate() {
            let mut recurrent = dot(hh, h);
            // A GRU's reset gate multiplies the recurrent half of gate n.
            if self.cell == Cell::Gru && row >= 2 * h.len() {
                let unit = row - 2 * h.len();
                recurrent = sigmoid(z[unit]) * (recurrent + f64::from(self.biases.b_hn[unit]));
            }
            z.push(dot(ih, x) + f64::from(bias) + recurrent);
        }
        z
    }
}

/// Computes the dot product of two vectors in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Computes the activations of the head's hidden layer, after ReLU; empty if the head has no hidden layer.
fn hidden_layer(weights: &Weights, head_input: &[f32]) -> Vec<f32> {
    let (Some(weight), Some(bias)) = (weights.get(names::HIDDEN_WEIGHT), weights.get(names::HIDDEN_BIAS)) else {
        return Vec::new();
    };
    let rows = weight.data.chunks_exact(head_input.len()).zip(&bias.data);
    rows.map(|(row, &bias)| (dot(row, head_input) + f64::from(bias)).max(0.0) as f32).collect()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

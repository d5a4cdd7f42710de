//! Measures the ranges of each gate's pre-activations, and their signal-to-noise ratio after quantisation.

use super::parts::Parts;
use crate::float_model::FloatModel;
use crate::nn::network::{Input, Network};
use crate::nn::packed::Direction;
use crate::nn::sample::Sample;
use crate::quantize::calibrate::{Gates, Statistics};
use crate::quantize::layer::gate_names;
use serde::Serialize;
use tern_runtime::write::Metadata;

/// The largest number of steps on which signal and noise are measured.
const STEPS: usize = 2_000;

/// The figures of a gate's pre-activations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateFigures {
    /// The layer and its direction: `lstm_l0`, `gru_l1_reverse`, …
    pub layer: String,
    /// The gate's letter in PyTorch's documentation; `h` for a plain cell.
    pub gate: &'static str,
    /// The smallest pre-activation on the calibration set; 0 if that is empty.
    pub smallest: f64,
    /// The largest pre-activation on the calibration set; 0 if that is empty.
    pub largest: f64,
    /// The share of pre-activations at or beyond the ends of the activation's table, 0 to 1. The ends are ±8 for a
    /// sigmoid and ±4 for tanh; for ReLU, which has no table, the share is 0.
    pub saturation: f64,
    /// The signal-to-noise ratio in decibels, 10·log10(Σz² / Σ(z' − z)²). z: the pre-activations of the float model;
    /// z': those with dequantised embedding, weights and biases, from the same states. `None` if either sum is 0.
    pub snr_db: Option<f64>,
}

/// Measures all gates of all layers. The signal-to-noise ratio is measured on the first 2,000 steps of `samples`; the
/// other figures are those of `statistics`. Empty for a model that has only an n-gram branch.
pub fn gates(model: &FloatModel, statistics: &Statistics, parts: &Parts<'_>, samples: &[Sample]) -> Vec<GateFigures> {
    let config = model.config();
    if config.num_layers == 0 {
        return Vec::new();
    }
    let sums = signal_and_noise(model, parts, samples);
    let suffixes = Metadata::layer_suffixes(config.num_layers, config.bidirectional);
    let mut figures = Vec::new();
    for ((suffix, direction), gate_sums) in suffixes.iter().zip(statistics.layers.iter().flatten()).zip(sums) {
        for ((gate, name), [signal, noise]) in direction.gates.iter().zip(gate_names(config.cell)).zip(gate_sums) {
            let [smallest, largest] = if gate.count > 0 { gate.range } else { [0.0; 2] };
            figures.push(GateFigures {
                layer: format!("{}_{suffix}", config.cell.module()),
                gate: name,
                smallest,
                largest,
                saturation: gate.saturated as f64 / gate.count.max(1) as f64,
                snr_db: (signal > 0.0 && noise > 0.0).then(|| 10.0 * (signal / noise).log10()),
            });
        }
    }
    figures
}

/// Returns Σz² and Σ(z' − z)² of [`GateFigures::snr_db`] over the first [`STEPS`] steps of `samples`:
/// `[layer * directions + direction][gate]`.
fn signal_and_noise(model: &FloatModel, parts: &Parts<'_>, samples: &[Sample]) -> Vec<Vec<[f64; 2]>> {
    let (config, recurrent) = (model.config(), model.config().recurrent());
    let (weights, architecture) = (parts.all_weights(), parts.architecture());
    let quantized = Network::new(&weights, &architecture);
    let directions = recurrent.directions();
    let mut sums = vec![vec![[0.0; 2]; config.cell.gates()]; config.num_layers * directions.len()];
    let initial_state = vec![0f32; config.hidden_size];
    let mut steps_left = STEPS;
    for sample in samples.iter().filter(|sample| !sample.steps.is_empty()) {
        let all_steps = sample.steps.len();
        let steps = all_steps.min(steps_left);
        steps_left -= steps;
        let trace = model.network().trace(Input::from(sample));
        // The first layer reads the dequantised embedding; the other layers read the float model's states.
        let quantized_input = quantized.trace(Input::from(sample)).inputs.swap_remove(0);
        for (index, gate_sums) in sums.iter_mut().enumerate() {
            let (layer, direction_index) = (index / directions.len(), index % directions.len());
            let direction = directions[direction_index];
            let float_gates = Gates::new(config.cell, model.weights(), &recurrent.names(layer, direction));
            let quantized_gates = Gates::new(config.cell, &weights, &architecture.recurrent.names(layer, direction));
            let float_x = &trace.inputs[layer];
            let quantized_x = if layer == 0 { &quantized_input } else { float_x };
            let input_size = float_x.len() / all_steps;
            let states = &trace.states[layer][direction_index];
            for step in 0..steps {
                let h = state_before(direction, step, states, config.hidden_size).unwrap_or(&initial_state);
                let float_z = float_gates.pre_activations(&float_x[step * input_size..][..input_size], h);
                let quantized_z = quantized_gates.pre_activations(&quantized_x[step * input_size..][..input_size], h);
                add_to_sums(gate_sums, &float_z, &quantized_z);
            }
        }
        if steps_left == 0 {
            break;
        }
    }
    sums
}

/// Returns the hidden state from which a direction computes step `step`: the one after the step that it read before.
/// `None` for the step that it reads first. `states`: the state after each step, `[steps, hidden_size]`.
fn state_before(direction: Direction, step: usize, states: &[f32], hidden_size: usize) -> Option<&[f32]> {
    let previous = match direction {
        Direction::Forward => step.checked_sub(1)?,
        Direction::Reverse => step + 1,
    };
    states.chunks_exact(hidden_size).nth(previous)
}

/// Adds the pre-activations of one step to the sums of each gate: z² to the signal, and (z' − z)² to the noise.
/// `float_z`, `quantized_z`: z and z', `[gates * hidden_size]`.
fn add_to_sums(sums: &mut [[f64; 2]], float_z: &[f64], quantized_z: &[f64]) {
    let hidden_size = float_z.len() / sums.len();
    let gates = float_z.chunks_exact(hidden_size).zip(quantized_z.chunks_exact(hidden_size));
    for ([signal, noise], (float_z, quantized_z)) in sums.iter_mut().zip(gates) {
        *signal += float_z.iter().map(|z| z * z).sum::<f64>();
        *noise += float_z.iter().zip(quantized_z).map(|(z, quantized)| (quantized - z).powi(2)).sum::<f64>();
    }
}

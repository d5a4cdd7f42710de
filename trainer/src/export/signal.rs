//! The ranges of each gate's pre-activations, and their signal-to-noise ratio after quantisation.

use super::export_data::input_of;
use super::parts::{Parts, gate_names};
use crate::float_model::FloatModel;
use crate::nn::network::Network;
use crate::nn::packed::Direction;
use crate::quantize::calibrate::{Gates, Statistics};
use crate::train::Sample;
use serde::Serialize;
use tern_runtime::write::Words;

/// Number of steps on which signal and noise are measured.
const STEPS: usize = 2_000;

/// The pre-activations of a gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateFigures {
    /// `lstm_l0`, `gru_l1_reverse`, …
    pub layer: String,
    /// The gate's letter in PyTorch's documentation.
    pub gate: &'static str,
    /// The smallest pre-activation on the calibration set.
    pub smallest: f64,
    /// The largest.
    pub largest: f64,
    /// Fraction of pre-activations beyond the end of the activation's table: 8 for a sigmoid, 4 for tanh.
    pub saturation: f64,
    /// Signal-to-noise ratio in decibels: 10·log10(Σz² / Σ(z' − z)²), with z of the float model and z' with dequantised
    /// embedding, weights and biases, both on the float model's states. `None` if either sum is 0.
    pub snr_db: Option<f64>,
}

/// Measures all gates of all layers.
pub fn gates(model: &FloatModel, statistics: &Statistics, parts: &Parts<'_>, samples: &[Sample]) -> Vec<GateFigures> {
    let config = model.config();
    let noise = noise(model, parts, samples);
    let places = Words::places(config.num_layers, config.bidirectional);
    let mut figures = Vec::new();
    for ((place, way), noise) in places.iter().zip(statistics.layers.iter().flatten()).zip(noise) {
        for ((gate, name), [signal, noise]) in way.gates.iter().zip(gate_names(config.cell)).zip(noise) {
            let [smallest, largest] = if gate.count > 0 { gate.range } else { [0.0; 2] };
            figures.push(GateFigures {
                layer: format!("{}_{place}", config.cell.module()),
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

/// The sums of squares of signal and noise: `[layer * directions + direction][gate]`.
fn noise(model: &FloatModel, parts: &Parts<'_>, samples: &[Sample]) -> Vec<Vec<[f64; 2]>> {
    let (config, recurrent) = (model.config(), model.config().recurrent());
    let weights = parts.all_weights();
    let quantized = Network::new(&weights, &parts.architecture());
    let directions = recurrent.directions();
    let mut sums = vec![vec![[0.0; 2]; config.cell.gates()]; config.num_layers * directions.len()];
    let mut left = STEPS;
    for sample in samples {
        let steps = sample.steps.len().min(left);
        left -= steps;
        let trace = model.network().trace(input_of(&sample.steps));
        // The first layer reads the dequantised embedding; the other layers read the float model's states.
        let first = quantized.trace(input_of(&sample.steps)).inputs.swap_remove(0);
        for (index, sums) in sums.iter_mut().enumerate() {
            let (layer, way) = (index / directions.len(), index % directions.len());
            let [float, integer] = [(recurrent, model.weights()), (parts.architecture().recurrent, &weights)]
                .map(|(recurrent, w)| Gates::new(config.cell, w, &recurrent.names(layer, directions[way])));
            let (x, states) = (&trace.inputs[layer], &trace.states[layer][way]);
            let rounded = if layer == 0 { &first } else { x };
            let (width, h) = (x.len() / sample.steps.len().max(1), config.hidden_size);
            let nothing = vec![0.0; h];
            for at in 0..steps {
                let before = match directions[way] {
                    Direction::Forward => at.checked_sub(1),
                    Direction::Reverse => Some(at + 1).filter(|&at| at < sample.steps.len()),
                };
                let state = before.map_or(&nothing[..], |at| &states[at * h..][..h]);
                let z = float.pre_activations(&x[at * width..][..width], state);
                let noisy = integer.pre_activations(&rounded[at * width..][..width], state);
                for ((sums, z), noisy) in sums.iter_mut().zip(z.chunks_exact(h)).zip(noisy.chunks_exact(h)) {
                    sums[0] += z.iter().map(|z| z * z).sum::<f64>();
                    sums[1] += z.iter().zip(noisy).map(|(z, noisy)| (noisy - z).powi(2)).sum::<f64>();
                }
            }
        }
        if left == 0 {
            break;
        }
    }
    sums
}

//! Reference implementations for tests: recurrent layers and a whole network as plain f64 loops over one sequence.
//!
//! In the shapes, `n` is the hidden size. A `parameter` is looked up by its name in PyTorch's `state_dict`, row-major.

use crate::architecture::{Architecture, Cell, Merge, Pooling, Recurrent, names};
use crate::packed::Direction;
use crate::weights::{Array, Weights};

/// Returns weights for tests: pseudo-random numbers from −0.5 to below 0.5, the same in every call. They come from the
/// linear congruential generator of Numerical Recipes, whose upper 24 bits are used.
pub fn weights(architecture: &Architecture) -> Weights {
    let mut weights = Weights::default();
    let mut state = 1u32;
    for (name, shape) in architecture.shapes() {
        let data = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        weights.insert(name, Array { shape, data });
    }
    weights
}

/// Computes the hidden states of one sequence, `[tokens][n]`, by the formulas in PyTorch's documentation.
///
/// `input_projection`: W_ih·x plus all biases but a GRU's b_hn, `[tokens][gates * n]`; `w_hh`: `[gates * n, n]`;
/// `b_hn`: `[n]`, used by a GRU only.
pub fn hidden_states(
    cell: Cell,
    input_projection: &[Vec<f64>],
    w_hh: &[f64],
    b_hn: &[f64],
    n: usize,
    direction: Direction,
) -> Vec<Vec<f64>> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = (vec![0.0; n], vec![0.0; n]);
    let tokens = input_projection.len();
    let mut states = vec![Vec::new(); tokens];
    for tokens_read in 0..tokens {
        let token = if direction == Direction::Forward { tokens_read } else { tokens - 1 - tokens_read };
        // The two halves of every gate. The recurrent half is computed before h changes.
        let input = &input_projection[token];
        let recurrent: Vec<f64> = w_hh.chunks_exact(n).map(|row| dot(row, &h)).collect();
        for unit in 0..n {
            let pre_activation = |gate: usize| input[gate * n + unit] + recurrent[gate * n + unit];
            match cell {
                Cell::Lstm => {
                    // PyTorch's order of the gates.
                    let [i, f, g, o] = [0, 1, 2, 3].map(pre_activation);
                    c[unit] = sigmoid(f) * c[unit] + sigmoid(i) * g.tanh();
                    h[unit] = sigmoid(o) * c[unit].tanh();
                }
                Cell::Gru => {
                    // PyTorch's order of the gates is r, z, n; r multiplies only the recurrent half of n.
                    let (r, z) = (sigmoid(pre_activation(0)), sigmoid(pre_activation(1)));
                    let new = (input[2 * n + unit] + r * (recurrent[2 * n + unit] + b_hn[unit])).tanh();
                    h[unit] = (1.0 - z) * new + z * h[unit];
                }
                Cell::Rnn => h[unit] = pre_activation(0).tanh(),
                Cell::RnnRelu => h[unit] = pre_activation(0).max(0.0),
            }
        }
        states[token] = h.clone();
    }
    states
}

/// Computes the logits of a text, `[outputs]`, with a whole network in f64.
///
/// `ids`: the tokens; `ngrams`: the rows of the n-gram table that the text's n-grams select, empty without an n-gram
/// branch.
pub fn logits<'a>(
    parameter: impl Fn(&str) -> &'a [f64],
    architecture: &Architecture,
    ids: &[u32],
    ngrams: &[u32],
) -> Vec<f64> {
    let mut x = Vec::new();
    if architecture.is_recurrent() {
        let width = architecture.input.width();
        let embedding = parameter(names::EMBEDDING);
        x.extend(ids.iter().map(|&id| embedding[id as usize * width..][..width].to_vec()));
    }
    let mut head_input = pooled(&parameter, architecture, x);
    if let Some(table) = architecture.ngrams {
        let weights = parameter(names::NGRAMS);
        // Without n-grams the sums are 0, and `max` avoids 0 / 0.
        let divisor = (ngrams.len().max(1) as f64).sqrt();
        for column in 0..table.rank {
            let sum: f64 = ngrams.iter().map(|&bucket| weights[bucket as usize * table.rank + column]).sum();
            head_input.push(sum / divisor);
        }
    }
    head(&parameter, architecture, head_input)
}

/// Computes the outputs for a sequence, `[outputs]`, with a whole network without an n-gram branch in f64. `x`: the
/// input of the first layer, `[steps][width]`.
pub fn outputs<'a>(parameter: impl Fn(&str) -> &'a [f64], architecture: &Architecture, x: Vec<Vec<f64>>) -> Vec<f64> {
    head(&parameter, architecture, pooled(&parameter, architecture, x))
}

/// Computes the pooled states of a sequence, the recurrent part of the head's input; empty without recurrent layers.
/// `x`: the input of the first layer, `[steps][width]`.
fn pooled<'a>(parameter: &impl Fn(&str) -> &'a [f64], architecture: &Architecture, mut x: Vec<Vec<f64>>) -> Vec<f64> {
    if !architecture.is_recurrent() {
        return Vec::new();
    }
    let Architecture { hidden_size: n, recurrent, .. } = *architecture;
    let steps = x.len();
    // The states of the layer computed last, `[directions][steps][n]`.
    let mut states: Vec<Vec<Vec<f64>>> = Vec::new();
    for layer in 0..recurrent.num_layers {
        if layer > 0 {
            x = merged_states(&states, steps, Merge::Concat);
        }
        let directions = recurrent.directions().iter();
        states = directions.map(|&direction| layer_states(parameter, &recurrent, layer, direction, &x, n)).collect();
    }

    let merged = merged_states(&states, steps, recurrent.merge);
    let (mut mean, mut max) = (Vec::new(), Vec::new());
    for column in 0..recurrent.merged_width(n) {
        let values = || merged.iter().map(|row| row[column]);
        // An empty sequence gives zeros.
        mean.push(values().sum::<f64>() / steps.max(1) as f64);
        max.push(values().reduce(f64::max).unwrap_or(0.0));
    }
    match recurrent.pooling {
        Pooling::Last => {
            let zeros = vec![0.0; n];
            let mut final_states = vec![states[0].last().unwrap_or(&zeros)];
            if let Some(reverse) = states.get(1) {
                final_states.push(reverse.first().unwrap_or(&zeros));
            }
            merge(&final_states, recurrent.merge)
        }
        Pooling::Mean => mean,
        Pooling::Max => max,
        Pooling::MeanMax => [mean, max].concat(),
    }
}

/// Computes the states of one direction of a layer, `[steps][n]`. `x`: the input of the layer, `[steps][input_size]`.
fn layer_states<'a>(
    parameter: &impl Fn(&str) -> &'a [f64],
    recurrent: &Recurrent,
    layer: usize,
    direction: Direction,
    x: &[Vec<f64>],
    n: usize,
) -> Vec<Vec<f64>> {
    let names = recurrent.names(layer, direction);
    let [w_ih, w_hh, b_ih] = [&names.w_ih, &names.w_hh, &names.b_ih].map(|name| parameter(name));
    let zeros = vec![0.0; b_ih.len()];
    let b_hh = names.b_hh.as_ref().map_or(zeros.as_slice(), |name| parameter(name));
    // Number of rows whose two biases are added; the biases of a GRU's gate n stay separate.
    let shared = if recurrent.cell == Cell::Gru { 2 * n } else { b_hh.len() };
    let project = |x: &Vec<f64>| -> Vec<f64> {
        let mut projection: Vec<f64> =
            w_ih.chunks_exact(x.len()).zip(b_ih).map(|(row, bias)| dot(row, x) + bias).collect();
        for (sum, bias) in projection.iter_mut().zip(&b_hh[..shared]) {
            *sum += bias;
        }
        projection
    };
    let input_projection: Vec<Vec<f64>> = x.iter().map(project).collect();
    hidden_states(recurrent.cell, &input_projection, w_hh, &b_hh[shared..], n, direction)
}

/// Merges the states of one or two directions after every step. `states`: `[directions][steps][n]`; the result has a
/// vector for each step.
fn merged_states(states: &[Vec<Vec<f64>>], steps: usize, how: Merge) -> Vec<Vec<f64>> {
    let merged_step = |step: usize| {
        let directions: Vec<&Vec<f64>> = states.iter().map(|direction| &direction[step]).collect();
        merge(&directions, how)
    };
    (0..steps).map(merged_step).collect()
}

/// Merges the vectors of one or two directions. A single one is returned unchanged.
fn merge(directions: &[&Vec<f64>], how: Merge) -> Vec<f64> {
    let [forward, reverse] = directions else {
        return directions[0].clone();
    };
    let pairs = forward.iter().zip(*reverse);
    match how {
        Merge::Concat => [forward.as_slice(), reverse].concat(),
        Merge::Sum => pairs.map(|(a, b)| a + b).collect(),
        Merge::Mean => pairs.map(|(a, b)| (a + b) / 2.0).collect(),
        Merge::Product => pairs.map(|(a, b)| a * b).collect(),
    }
}

/// Applies the head to its input and returns the outputs of the network.
fn head<'a>(parameter: &impl Fn(&str) -> &'a [f64], architecture: &Architecture, mut input: Vec<f64>) -> Vec<f64> {
    let linear = |x: &[f64], weight: &str, bias: &str| -> Vec<f64> {
        let rows = parameter(weight).chunks_exact(x.len()).zip(parameter(bias));
        rows.map(|(row, bias)| dot(x, row) + bias).collect()
    };
    if architecture.head.hidden > 0 {
        let hidden = linear(&input, names::HIDDEN_WEIGHT, names::HIDDEN_BIAS);
        // ReLU.
        input = hidden.into_iter().map(|value| value.max(0.0)).collect();
    }
    linear(&input, names::FC_WEIGHT, names::FC_BIAS)
}

/// Computes the dot product.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

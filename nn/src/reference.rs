//! Reference implementations for tests: recurrent layers and a whole network as plain f64 loops over one sequence.

use crate::architecture::{Architecture, Cell, Merge, Pooling, Recurrent, names};
use crate::packed::Direction;
use crate::weights::{Array, Weights};

/// Returns weights for tests: pseudo-random numbers from −0.5 to below 0.5, the same in every call, from a linear
/// congruential generator.
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

/// Computes the hidden states of one sequence, `[tokens][hidden_size]`, by the formulas in PyTorch's documentation.
///
/// `input_projection`: W_ih·x and the biases, but for b_hn, `[tokens][gates * hidden_size]`; `w_hh`: `[gates *
/// hidden_size, hidden_size]`; `b_hn`: `[hidden_size]`, used by a GRU only; `n`: hidden_size.
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
        let x = &input_projection[token];
        // The recurrent half of every gate, before h changes.
        let s: Vec<f64> = w_hh.chunks_exact(n).map(|row| dot(row, &h)).collect();
        for u in 0..n {
            let z = |gate: usize| x[gate * n + u] + s[gate * n + u];
            match cell {
                // The gates are in PyTorch's order: i, f, g, o.
                Cell::Lstm => {
                    c[u] = sigmoid(z(1)) * c[u] + sigmoid(z(0)) * z(2).tanh();
                    h[u] = sigmoid(z(3)) * c[u].tanh();
                }
                // The gates are in PyTorch's order: r, z, n.
                Cell::Gru => {
                    let new = (x[2 * n + u] + sigmoid(z(0)) * (s[2 * n + u] + b_hn[u])).tanh();
                    h[u] = (1.0 - sigmoid(z(1))) * new + sigmoid(z(1)) * h[u];
                }
                Cell::Rnn => h[u] = z(0).tanh(),
                Cell::RnnRelu => h[u] = z(0).max(0.0),
            }
        }
        states[token] = h.clone();
    }
    states
}

/// Computes the logits of a text, `[outputs]`, with a whole network in f64.
///
/// `parameter`: returns a parameter by its PyTorch name, row-major; `ids`: the tokens; `ngrams`: the rows of the n-gram
/// table that the text's n-grams select.
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
        for column in 0..table.rank {
            let sum: f64 = ngrams.iter().map(|&bucket| weights[bucket as usize * table.rank + column]).sum();
            head_input.push(sum / (ngrams.len().max(1) as f64).sqrt());
        }
    }
    head(&parameter, architecture, head_input)
}

/// Computes the outputs for a sequence, `[outputs]`, with a whole network without an n-gram branch in f64.
///
/// `parameter`: returns a parameter by its PyTorch name, row-major; `x`: the input of the first layer,
/// `[steps][width]`.
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
    // The states of the layer below, [directions][steps][n].
    let mut states: Vec<Vec<Vec<f64>>> = Vec::new();
    for layer in 0..recurrent.num_layers {
        if layer > 0 {
            x = (0..steps).map(|step| states.iter().flat_map(|states| states[step].clone()).collect()).collect();
        }
        let directions = recurrent.directions().iter();
        states = directions.map(|&direction| layer_states(parameter, &recurrent, layer, direction, &x, n)).collect();
    }

    let merge_step = |step: usize| {
        let directions: Vec<&Vec<f64>> = states.iter().map(|states| &states[step]).collect();
        merge(&directions, recurrent.merge)
    };
    let merged: Vec<Vec<f64>> = (0..steps).map(merge_step).collect();
    let (mut mean, mut max) = (Vec::new(), Vec::new());
    for column in 0..recurrent.merged_width(n) {
        let values = || merged.iter().map(|row| row[column]);
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
        input = linear(&input, names::HIDDEN_WEIGHT, names::HIDDEN_BIAS).into_iter().map(|v| v.max(0.0)).collect();
    }
    linear(&input, names::FC_WEIGHT, names::FC_BIAS)
}

/// Computes the dot product.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

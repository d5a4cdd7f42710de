//! Reference implementations for tests: recurrent layers and a whole network as plain f64 loops.

use crate::architecture::{Architecture, Cell, Merge, Pooling, names};
use crate::packed::Direction;
use crate::weights::{Array, Weights};

/// Returns weights for tests: pseudo-random numbers in −0.5 … 0.5, the same in every call.
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
/// `gates`: the input projection, `[tokens][gates * hidden_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`;
/// `b_hn`: `[hidden_size]`, used by a GRU only; `n`: hidden_size.
pub fn hidden_states(
    cell: Cell,
    gates: &[Vec<f64>],
    w_hh: &[f64],
    b_hn: &[f64],
    n: usize,
    direction: Direction,
) -> Vec<Vec<f64>> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = (vec![0.0; n], vec![0.0; n]);
    let mut all = vec![Vec::new(); gates.len()];
    for index in 0..gates.len() {
        let token = if direction == Direction::Forward { index } else { gates.len() - 1 - index };
        let x = &gates[token];
        let s: Vec<f64> = (0..cell.gates() * n).map(|j| (0..n).map(|k| w_hh[j * n + k] * h[k]).sum::<f64>()).collect();
        for u in 0..n {
            let z = |gate: usize| x[gate * n + u] + s[gate * n + u];
            match cell {
                Cell::Lstm => {
                    c[u] = sigmoid(z(1)) * c[u] + sigmoid(z(0)) * z(2).tanh();
                    h[u] = sigmoid(z(3)) * c[u].tanh();
                }
                Cell::Gru => {
                    let new = (x[2 * n + u] + sigmoid(z(0)) * (s[2 * n + u] + b_hn[u])).tanh();
                    h[u] = (1.0 - sigmoid(z(1))) * new + sigmoid(z(1)) * h[u];
                }
                Cell::Rnn => h[u] = z(0).tanh(),
                Cell::RnnRelu => h[u] = z(0).max(0.0),
            }
        }
        all[token] = h.clone();
    }
    all
}

/// Computes the logits of a text, `[outputs]`, with a whole network in f64.
///
/// `parameter`: returns a parameter by its PyTorch name, row-major; `ids`: the tokens; `ngrams`: the buckets of the
/// text's n-grams.
pub fn logits<'a>(
    parameter: impl Fn(&str) -> &'a [f64],
    architecture: &Architecture,
    ids: &[u32],
    ngrams: &[u32],
) -> Vec<f64> {
    let width = architecture.input.width();
    let embed = |&id: &u32| parameter(names::EMBEDDING)[id as usize * width..][..width].to_vec();
    let x = if architecture.is_recurrent() { ids.iter().map(embed).collect() } else { Vec::new() };
    let sums = architecture.ngrams.map_or(Vec::new(), |table| {
        let table = parameter(names::NGRAMS).chunks_exact(table.rank).collect::<Vec<_>>();
        let column = |column: usize| ngrams.iter().map(|&bucket| table[bucket as usize][column]).sum::<f64>();
        (0..table[0].len()).map(|index| column(index) / (ngrams.len().max(1) as f64).sqrt()).collect()
    });
    head(&parameter, architecture, [pooled(&parameter, architecture, x), sums].concat())
}

/// Computes the outputs for a sequence, `[outputs]`, with a whole network without an n-gram branch in f64.
///
/// `parameter`: returns a parameter by its PyTorch name, row-major; `x`: the input of the first layer,
/// `[steps][width]`.
pub fn outputs<'a>(parameter: impl Fn(&str) -> &'a [f64], architecture: &Architecture, x: Vec<Vec<f64>>) -> Vec<f64> {
    head(&parameter, architecture, pooled(&parameter, architecture, x))
}

/// Computes the pooled states of a sequence, the recurrent part of the head's input; empty without recurrent layers.
fn pooled<'a>(parameter: &impl Fn(&str) -> &'a [f64], architecture: &Architecture, mut x: Vec<Vec<f64>>) -> Vec<f64> {
    if !architecture.is_recurrent() {
        return Vec::new();
    }
    let Architecture { hidden_size: n, recurrent, .. } = *architecture;
    let steps = x.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // The final state of each direction: [directions][n].
    let mut last = Vec::new();
    let mut states: Vec<Vec<Vec<f64>>> = Vec::new();
    for layer in 0..recurrent.num_layers {
        if layer > 0 {
            x = (0..steps).map(|token| states.iter().flat_map(|states| states[token].clone()).collect()).collect();
        }
        let directions = recurrent.directions().iter().map(|&direction| {
            let names = recurrent.names(layer, direction);
            let [w_ih, w_hh, b_ih] = [&names.w_ih, &names.w_hh, &names.b_ih].map(|name| parameter(name));
            let zeros = vec![0.0; b_ih.len()];
            let b_hh = names.b_hh.as_ref().map_or(zeros.as_slice(), |name| parameter(name));
            // Number of rows whose two biases are added; the biases of a GRU's gate n stay separate.
            let shared = if recurrent.cell == Cell::Gru { 2 * n } else { b_hh.len() };
            let gate = |x: &[f64], j: usize| {
                dot(x, &w_ih[j * x.len()..][..x.len()]) + b_ih[j] + if j < shared { b_hh[j] } else { 0.0 }
            };
            let gates: Vec<Vec<f64>> = x.iter().map(|x| (0..b_ih.len()).map(|j| gate(x, j)).collect()).collect();
            hidden_states(recurrent.cell, &gates, w_hh, &b_hh[shared..], n, direction)
        });
        states = directions.collect();
        last = vec![states[0].last().cloned().unwrap_or_else(|| vec![0.0; n])];
        last.extend(states.get(1).map(|reverse| reverse.first().cloned().unwrap_or_else(|| vec![0.0; n])));
    }
    let merge = |parts: &[&Vec<f64>]| -> Vec<f64> {
        let [forward, reverse] = parts else { return parts[0].clone() };
        let pairs = forward.iter().zip(*reverse);
        match recurrent.merge {
            Merge::Concat => [forward.as_slice(), reverse].concat(),
            Merge::Sum => pairs.map(|(a, b)| a + b).collect(),
            Merge::Mean => pairs.map(|(a, b)| (a + b) / 2.0).collect(),
            Merge::Product => pairs.map(|(a, b)| a * b).collect(),
        }
    };
    let merged: Vec<Vec<f64>> =
        (0..steps).map(|token| merge(&states.iter().map(|states| &states[token]).collect::<Vec<_>>())).collect();
    let width = recurrent.merged_width(n);
    let over = |combine: fn(f64, f64) -> f64, start: f64| -> Vec<f64> {
        (0..width).map(|u| merged.iter().map(|row| row[u]).fold(start, combine)).collect()
    };
    let mean = || over(|a, b| a + b, 0.0).iter().map(|sum| sum / steps.max(1) as f64).collect::<Vec<_>>();
    let max = || if steps == 0 { vec![0.0; width] } else { over(f64::max, f64::NEG_INFINITY) };
    match recurrent.pooling {
        Pooling::Last => merge(&last.iter().collect::<Vec<_>>()),
        Pooling::Mean => mean(),
        Pooling::Max => max(),
        Pooling::MeanMax => [mean(), max()].concat(),
    }
}

/// Applies the head to its input.
fn head<'a>(parameter: &impl Fn(&str) -> &'a [f64], architecture: &Architecture, mut input: Vec<f64>) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let linear = |x: &[f64], weight: &str, bias: &str| -> Vec<f64> {
        let rows = parameter(weight).chunks_exact(x.len()).zip(parameter(bias));
        rows.map(|(row, bias)| dot(x, row) + bias).collect()
    };
    if architecture.head.hidden > 0 {
        input = linear(&input, names::HIDDEN_WEIGHT, names::HIDDEN_BIAS).into_iter().map(|v| v.max(0.0)).collect();
    }
    linear(&input, names::FC_WEIGHT, names::FC_BIAS)
}

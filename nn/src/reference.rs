//! Plain recurrent layers that the fused ones are tested against: in f64 loops, and in candle's own operations. And a
//! whole network in f64.

use crate::architecture::{Architecture, Cell, Merge, Pooling};
use crate::packed::Direction;
use crate::tensors;
use crate::weights::{Array, Weights, names};
use candle_core::{DType, Device, Result, Tensor};

/// Weights for tests: the same pseudo-random numbers in -0.5 … 0.5 each time.
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

/// Hidden states of one sequence, `[tokens][hidden_size]`, straight from PyTorch's definitions.
///
/// `gates`: `[tokens]`[gates * hidden_size]; `w_hh`: `[gates * hidden_size, hidden_size]`; `b_hn`: `[hidden_size]` of GRU.
pub fn plain(
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

/// Hidden states of one sequence, `[tokens, hidden_size]`, step by step in candle's operations.
///
/// `gates`: `[tokens, gates * hidden_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`; `b_hn`: `[hidden_size]` of GRU.
pub fn candle(cell: Cell, gates: &Tensor, w_hh: &Tensor, b_hn: &Tensor, direction: Direction) -> Result<Tensor> {
    let (tokens, n) = (gates.dim(0)?, w_hh.dim(1)?);
    let mut h = Tensor::zeros((1, n), DType::F32, &Device::Cpu)?;
    let mut c = h.clone();
    let mut all = Vec::new();
    for index in 0..tokens {
        let token = if direction == Direction::Forward { index } else { tokens - 1 - index };
        let x = gates.get(token)?.unsqueeze(0)?;
        let s = h.matmul(&w_hh.t()?)?;
        (h, c) = tensors::cell(cell, &x, &s, b_hn, &h, &c)?;
        all.push(h.clone());
    }
    if direction == Direction::Reverse {
        all.reverse();
    }
    Tensor::cat(&all, 0)
}

/// The logits of a text by a whole network in f64, straight from the definitions.
///
/// `parameter`: PyTorch's parameters by name, row-major.
pub fn logits<'a>(parameter: impl Fn(&str) -> &'a [f64], architecture: &Architecture, ids: &[u32]) -> Vec<f64> {
    let embedding = parameter(names::EMBEDDING);
    let width = architecture.input.width();
    let x = ids.iter().map(|&id| embedding[id as usize * width..][..width].to_vec()).collect();
    outputs(parameter, architecture, x)
}

/// The outputs for a sequence by a whole network in f64, straight from the definitions.
///
/// `parameter`: PyTorch's parameters by name, row-major. x: `[steps][width]`.
pub fn outputs<'a>(
    parameter: impl Fn(&str) -> &'a [f64],
    architecture: &Architecture,
    mut x: Vec<Vec<f64>>,
) -> Vec<f64> {
    let Architecture { hidden_size: n, recurrent, head, .. } = *architecture;
    let steps = x.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // The states that are read last, of each direction: [directions][n].
    let mut last = Vec::new();
    let mut states: Vec<Vec<Vec<f64>>> = Vec::new();
    for layer in 0..recurrent.layers {
        if layer > 0 {
            x = (0..steps).map(|token| states.iter().flat_map(|states| states[token].clone()).collect()).collect();
        }
        let directions = recurrent.directions().iter().map(|&direction| {
            let names = recurrent.names(layer, direction);
            let [w_ih, w_hh, b_ih, b_hh] = [&names.w_ih, &names.w_hh, &names.b_ih, &names.b_hh].map(|n| parameter(n));
            let shared = if recurrent.cell == Cell::Gru { 2 * n } else { b_hh.len() };
            let gate = |x: &[f64], j: usize| {
                dot(x, &w_ih[j * x.len()..][..x.len()]) + b_ih[j] + if j < shared { b_hh[j] } else { 0.0 }
            };
            let gates: Vec<Vec<f64>> = x.iter().map(|x| (0..b_ih.len()).map(|j| gate(x, j)).collect()).collect();
            plain(recurrent.cell, &gates, w_hh, &b_hh[shared..], n, direction)
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
    let over = |of: fn(f64, f64) -> f64, start: f64| -> Vec<f64> {
        (0..width).map(|u| merged.iter().map(|row| row[u]).fold(start, of)).collect()
    };
    let mean = || over(|a, b| a + b, 0.0).iter().map(|sum| sum / steps.max(1) as f64).collect::<Vec<_>>();
    let max = || if steps == 0 { vec![0.0; width] } else { over(f64::max, f64::NEG_INFINITY) };
    let mut read = match recurrent.pooling {
        Pooling::Last => merge(&last.iter().collect::<Vec<_>>()),
        Pooling::Mean => mean(),
        Pooling::Max => max(),
        Pooling::MeanMax => [mean(), max()].concat(),
    };
    let linear = |read: &[f64], weight: &str, bias: &str| -> Vec<f64> {
        let rows = parameter(weight).chunks_exact(read.len()).zip(parameter(bias));
        rows.map(|(row, bias)| dot(read, row) + bias).collect()
    };
    if head.hidden > 0 {
        read = linear(&read, names::HIDDEN_WEIGHT, names::HIDDEN_BIAS).into_iter().map(|v| v.max(0.0)).collect();
    }
    linear(&read, names::FC_WEIGHT, names::FC_BIAS)
}

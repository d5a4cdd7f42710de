//! Tests of every cell against the same network in f64, with the weights that the integers stand for:
//! docs/arithmetic.md, "What the exporter does".

use crate::model::Model;
use crate::session::forward::Forward;
use crate::session::scratch::Scratch;
use crate::testing::{Aligned, Random, Sizes, Spec};
use crate::write::{Tensor, to_bytes};
use std::{println, string::String, vec, vec::Vec};
use tern_format::{Cell as CellKind, Input, Output, Pooling, Task};

const SIZES: Sizes = Sizes { embedding_dim: 20, hidden_size: 64, classes: 2 };
const STEPS: usize = 256;

fn numbers<T: bytemuck::Pod>(tensors: &[Tensor], name: &str) -> Vec<T> {
    let tensor = tensors.iter().find(|tensor| tensor.name == name).unwrap();
    tensor.data.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}

fn set<T: bytemuck::Pod>(tensors: &mut [Tensor], name: &str, value: impl Fn(usize) -> T) {
    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
    let count = tensor.data.len() / size_of::<T>();
    tensor.data = bytemuck::cast_slice(&(0..count).map(value).collect::<Vec<T>>()).to_vec();
}

/// One half of a layer in f64.
struct Half {
    /// The weights, `[unit][gate][column]`.
    weight: Vec<Vec<Vec<f64>>>,
    /// The biases, `[unit][gate]`.
    bias: Vec<Vec<f64>>,
}

/// The number of fractional bits of a gate's pre-activation. `recurrent`: true for the recurrent half, whose `n` of a
/// GRU has one more.
fn point(cell: CellKind, gate: usize, recurrent: bool) -> i32 {
    match (cell, gate, recurrent) {
        (CellKind::Lstm, 2, _) | (CellKind::Rnn | CellKind::RnnRelu, ..) | (CellKind::Gru, 2, false) => 20,
        (CellKind::Gru, 2, true) => 21,
        _ => 19,
    }
}

fn half(tensors: &[Tensor], cell: CellKind, which: &str) -> Half {
    let (gates, units, recurrent) = (cell.gates(), SIZES.hidden_size, which == "hh");
    let columns = if recurrent { units } else { SIZES.embedding_dim };
    let name = |parameter: &str| std::format!("{}.{parameter}_l0", cell.module());
    let weights: Vec<i8> = numbers(tensors, &name(&std::format!("weight_{which}")));
    let multipliers: Vec<i16> = numbers(tensors, &name(&std::format!("multiplier_{which}")));
    let biases: Vec<i32> = numbers(tensors, &name("bias"));
    let of_unit = biases.len() / units;
    let is_first = |gate: usize| matches!((cell, gate), (CellKind::Lstm, 0 | 2) | (CellKind::Gru, 0));
    let step = |unit: usize, gate: usize| {
        f64::from(multipliers[unit * gates + gate]) / 2f64.powi(point(cell, gate, recurrent) + 1)
    };
    let weight = |unit: usize, gate: usize, column: usize| {
        let w = |gate: usize| f64::from(weights[(unit * columns + column) * gates + gate]);
        let paired = if is_first(gate) { w(gate) + w(gate + 1) / 256.0 } else { w(gate) };
        paired * step(unit, gate)
    };
    let bias = |unit: usize, gate: usize| {
        let b = |row: usize| f64::from(biases[unit * of_unit + row]);
        let own = match (recurrent, cell) {
            (true, CellKind::Gru) if gate == 2 => b(3),
            (true, _) => 0.0,
            (false, _) if is_first(gate) => b(gate) + b(gate + 1) / 256.0,
            (false, _) => b(gate),
        };
        own * step(unit, gate) / 32_768.0
    };
    let rows = |unit: usize| (0..gates).map(|gate| (0..columns).map(|at| weight(unit, gate, at)).collect()).collect();
    Half {
        weight: (0..units).map(rows).collect(),
        bias: (0..units).map(|unit| (0..gates).map(|gate| bias(unit, gate)).collect()).collect(),
    }
}

impl Half {
    fn sums(&self, unit: usize, v: &[f64]) -> Vec<f64> {
        let rows = self.weight[unit].iter().zip(&self.bias[unit]);
        rows.map(|(row, bias)| row.iter().zip(v).map(|(w, v)| w * v).sum::<f64>() + bias).collect()
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// A unit in f64: its new hidden and finer state.
fn unit(cell: CellKind, x: &[f64], h: &[f64], c: f64) -> (f64, f64) {
    match cell {
        CellKind::Lstm => {
            let c = sigmoid(x[1] + h[1]) * c + sigmoid(x[0] + h[0]) * (x[2] + h[2]).tanh();
            (sigmoid(x[3] + h[3]) * c.tanh(), c)
        }
        CellKind::Gru => {
            let (r, z) = (sigmoid(x[0] + h[0]), sigmoid(x[1] + h[1]));
            let state = (1.0 - z) * (x[2] + r * h[2]).tanh() + z * c;
            (state, state)
        }
        CellKind::Rnn => ((x[0] + h[0]).tanh(), 0.0),
        CellKind::RnnRelu => ((x[0] + h[0]).max(0.0), 0.0),
    }
}

/// The mean, the RMS and the largest |error| of the hidden state over all steps, and the RMS of the hidden state
/// itself. `spread`: the weights are uniform in ±spread / √H; PyTorch draws them with 1.
fn errors(cell: CellKind, spread: f64, seed: u64) -> [f64; 4] {
    let (task, input, output, pooling) = (Task::Classify, Input::Values, Output::Softmax, Pooling::Last);
    let spec = Spec { task, input, cell, output, pooling, ..SIZES.into() };
    let mut tensors = spec.tensors(seed);
    // The scaling passes each value on unchanged: (2·v + 1) >> 1.
    for (name, value) in [("offset", 0), ("multiplier", 2), ("shift", 1), ("point", 15)] {
        set(&mut tensors, &std::format!("input.{name}"), |_| value);
    }
    let gates = cell.gates();
    for which in ["ih", "hh"] {
        let name = std::format!("{}.multiplier_{which}_l0", cell.module());
        set(&mut tensors, &name, |row| {
            let largest = spread / (SIZES.hidden_size as f64).sqrt();
            (largest * 2f64.powi(point(cell, row % gates, which == "hh") + 1) / 127.0).round() as i16
        });
    }
    let file = Aligned::new(&to_bytes(&spec.metadata(), tensors.clone()));
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut run = Forward::new(&model, Scratch::new(&model, &mut scratch).unwrap());
    run.reset();
    let [ih, hh] = ["ih", "hh"].map(|which| half(&tensors, cell, which));
    let (mut h, mut c) = (vec![0.0; SIZES.hidden_size], vec![0.0; SIZES.hidden_size]);
    let mut random = Random(seed);
    let (mut sum, mut squares, mut largest, mut size) = (0.0, 0.0, 0f64, 0.0);
    for _ in 0..STEPS {
        let x: Vec<i32> = (0..SIZES.embedding_dim).map(|_| random.between(-32_512, 32_512) as i32).collect();
        run.take_values(&x);
        let x: Vec<f64> = x.iter().map(|&x| f64::from(x) / 32_768.0).collect();
        let next: Vec<(f64, f64)> = (0..h.len()).map(|u| unit(cell, &ih.sums(u, &x), &hh.sums(u, &h), c[u])).collect();
        (h, c) = next.into_iter().unzip();
        for (&found, &exact) in run.scratch.first.h.iter().zip(&h) {
            let error = (f64::from(found) / 32_768.0 - exact).abs();
            (sum, squares, largest, size) =
                (sum + error, squares + error * error, largest.max(error), size + exact * exact);
        }
    }
    let count = (STEPS * SIZES.hidden_size) as f64;
    [sum / count, (squares / count).sqrt(), largest, (size / count).sqrt()]
}

#[test]
fn errors_of_the_hidden_state() {
    println!("cell       weights   mean      RMS       largest   RMS of h");
    for (cell, spreads) in [
        (CellKind::Lstm, [1.0, 3.0]),
        (CellKind::Gru, [1.0, 3.0]),
        (CellKind::Rnn, [0.5, 1.0]),
        (CellKind::RnnRelu, [0.5, 1.0]),
    ] {
        for spread in spreads {
            let of_seeds: Vec<[f64; 4]> = (0..4).map(|seed| errors(cell, spread, seed)).collect();
            let [mean, rms, size] = [0, 1, 3].map(|at| of_seeds.iter().map(|seen| seen[at]).sum::<f64>() / 4.0);
            let largest = of_seeds.iter().map(|seen| seen[2]).fold(0.0, f64::max);
            let name = String::from(cell.name());
            println!("{name:10} ±{:.4}   {mean:.1e}   {rms:.1e}   {largest:.1e}   {size:.2}", spread / 8.0);
            assert!(mean <= 1e-4, "{name}, {spread}: {mean:e}");
            assert!(size > 0.03, "{name}, {spread}: the states are too small to say anything, {size}");
        }
    }
}

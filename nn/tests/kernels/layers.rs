//! Recurrent layers: every cell, direction and instance of the kernels, with hidden sizes around their limits.

use super::{CPU, close, device, random, with_gradients};
use candle_core::{Device, Var};
use std::sync::Arc;
use tern_nn::architecture::Cell;
use tern_nn::gpu::batch::DeviceBatch;
use tern_nn::gpu::layer;
use tern_nn::gpu::machine::Machine;
use tern_nn::gpu::walk::{self, WALKS, Walk};
use tern_nn::ops;
use tern_nn::packed::{Direction, PackedLayout};
use tern_nn::pooling::Reduction;
use tern_nn::recurrent::{Biases, Layer, LayerOutput, LayerRun, LayerShape};
use tern_nn::reference;

const INPUTS: usize = 3;

/// A layer with random weights, and its parameters.
fn random_layer(cell: Cell, direction: Direction, n: usize) -> (Arc<Layer>, Vec<f32>) {
    let width = cell.gates() * n;
    let scaled = |count: usize, seed: u64| random(count, seed).iter().map(|w| w * 1.5 / (n as f32).sqrt()).collect();
    let biases = Biases { input: random(width, 1), b_hn: random(if cell == Cell::Gru { n } else { 0 }, 2) };
    let (w_ih, w_hh): (Vec<f32>, Vec<f32>) = (random(width * INPUTS, 3), scaled(width * n, 4));
    let layer = Layer::new(cell, direction, &w_ih, &w_hh, &biases);
    (Arc::new(layer), [w_ih, w_hh, biases.input, biases.b_hn].concat())
}

/// Compares a layer with the CPU's: its output, and the gradients of its input and of its parameters. With `shared`,
/// tokens share three rows of the input.
fn compare(
    device: &Device,
    (cell, direction, n): (Cell, Direction, usize),
    lengths: &[usize],
    shared: bool,
    output: LayerOutput,
) {
    let (layer, parameters) = random_layer(cell, direction, n);
    let layout = Arc::new(PackedLayout::new(lengths));
    let distinct = if shared { 3 } else { layout.rows() };
    let tokens: Option<Arc<[u32]>> = shared.then(|| (0..layout.rows() as u32).map(|row| row * 7 % 3).collect());
    let on = |device: &Device| {
        let x = Var::from_vec(random(distinct * INPUTS, 5), (distinct, INPUTS), device).unwrap();
        (x, Var::from_slice(&parameters, parameters.len(), device).unwrap())
    };
    let (x, on_cpu) = on(&CPU);
    let run = LayerRun { layer: layer.clone(), layout: layout.clone(), tokens: tokens.clone(), output: output.clone() };
    let expected = with_gradients(&ops::recurrent(&x, &on_cpu, run).unwrap(), &[&x, &on_cpu]);
    let (x, parameters) = on(device);
    let batch = DeviceBatch::new(layout, tokens.as_deref().map(|tokens| (tokens, distinct)), device).unwrap();
    let result = layer::recurrent(&x, &parameters, layer.shape(), shared, &Arc::new(batch), &output).unwrap();
    let found = with_gradients(&result, &[&x, &parameters]);
    for ((found, expected), part) in found.iter().zip(&expected).zip(["output", "d_x", "d_parameters"]) {
        close(found, expected, 1e-5, &format!("{cell:?} {direction:?} {n}, {lengths:?}: {part}"));
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Reverse];

/// Hidden sizes of both sides of the limits of the instances, with lengths of sequences: a single sequence, or more
/// than a block takes, of different lengths, so that a block is not full and contains an empty sequence.
const SIZES: [(usize, &[usize]); 14] = [
    (1, &[6]),
    (3, &[4, 7, 1, 0, 7, 3]),
    (8, &[5]),
    (17, &[1, 5, 4, 4, 2, 0, 3]),
    (31, &[4]),
    (32, &[3, 1, 4, 1, 0, 2]),
    (33, &[3]),
    (47, &[1, 3, 2, 3, 0]),
    (64, &[2, 3, 1, 2, 0]),
    (64, &[3]),
    (65, &[2]),
    (100, &[1, 2, 1, 2, 0]),
    (128, &[2]),
    (129, &[3, 1, 2, 0]),
];

#[test]
fn every_cell_agrees_with_the_cpus_loops_at_every_size() {
    let Some(device) = device() else { return };
    for &cell in Cell::ALL {
        for direction in DIRECTIONS {
            for (n, lengths) in SIZES {
                compare(device, (cell, direction, n), lengths, n % 3 == 0, LayerOutput::States);
            }
        }
    }
}

/// The comparisons above reach every instance.
#[test]
fn every_instance_is_compared() {
    let mut reached: Vec<Walk> = Vec::new();
    for &cell in Cell::ALL {
        for (hidden_size, lengths) in SIZES {
            let shape = LayerShape { cell, direction: Direction::Forward, input_size: INPUTS, hidden_size };
            reached.extend(walk::choose(shape, lengths.len(), Machine::of(&CPU).unwrap()));
        }
    }
    for walk in WALKS {
        assert!(reached.contains(&walk), "{walk:?} is not compared with the CPU");
    }
}

#[test]
fn instances_are_those_of_the_source() {
    let source = include_str!("../../cuda/kernels.cu");
    let list = source.split("#define CELLS").next().unwrap();
    let found: Vec<&str> = list.split("DO(").skip(1).map(|part| part.split(')').next().unwrap()).collect();
    let expected: Vec<String> = WALKS
        .iter()
        .map(|walk| format!("{}, {}, {}, {}", walk.cell, walk.padded, walk.in_registers, walk.sequences))
        .collect();
    assert_eq!(found, expected);
}

/// Tokens that share a row more than 128 times, so that their gradients are added in two passes, and all reductions.
#[test]
fn reductions_and_shared_rows_agree_with_the_cpus_loops() {
    let Some(device) = device() else { return };
    for direction in DIRECTIONS {
        let all = vec![Reduction::Mean, Reduction::Last(direction), Reduction::Max];
        compare(device, (Cell::Gru, direction, 3), &[90, 1, 0, 170, 66, 99, 12], true, LayerOutput::Reduced(all));
    }
}

#[test]
fn batches_without_tokens_have_no_states() {
    let Some(device) = device() else { return };
    let (layer, parameters) = random_layer(Cell::Lstm, Direction::Forward, 4);
    let parameters = candle_core::Tensor::new(parameters, device).unwrap();
    let batch = Arc::new(DeviceBatch::new(Arc::new(PackedLayout::new(&[0, 0])), None, device).unwrap());
    let x = candle_core::Tensor::zeros((1, INPUTS), candle_core::DType::F32, device).unwrap();
    let output = LayerOutput::Reduced(vec![Reduction::Max, Reduction::Mean]);
    let reduced = layer::recurrent(&x, &parameters, layer.shape(), false, &batch, &output).unwrap();
    assert_eq!(super::flat(&reduced), [0.0; 16]);
}

/// The loss of one sequence by the reference in f64: the sum of all hidden states, weighted by `d_hidden`.
fn loss(shape: LayerShape, parameters: &[f64], x: &[f32], d_hidden: &[f32]) -> f64 {
    let (n, width) = (shape.hidden_size, shape.width());
    let (w_ih, rest) = parameters.split_at(width * INPUTS);
    let (w_hh, rest) = rest.split_at(width * n);
    let (bias, b_hn) = rest.split_at(width);
    let gate =
        |x: &[f32], j: usize| bias[j] + x.iter().zip(&w_ih[j * INPUTS..]).map(|(x, w)| f64::from(*x) * w).sum::<f64>();
    let gates: Vec<Vec<f64>> = x.chunks_exact(INPUTS).map(|x| (0..width).map(|j| gate(x, j)).collect()).collect();
    let hidden = reference::hidden_states(shape.cell, &gates, w_hh, b_hn, n, shape.direction).concat();
    hidden.iter().zip(d_hidden).map(|(h, d)| h * f64::from(*d)).sum()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let Some(device) = device() else { return };
    const STEPS: usize = 5;
    for &cell in Cell::ALL {
        for (n, direction) in [(3, Direction::Forward), (33, Direction::Reverse), (130, Direction::Forward)] {
            let (layer, parameters) = random_layer(cell, direction, n);
            let shape = layer.shape();
            let x = random(STEPS * INPUTS, 5);
            let variable = Var::from_slice(&parameters, parameters.len(), device).unwrap();
            let batch = Arc::new(DeviceBatch::new(Arc::new(PackedLayout::new(&[STEPS])), None, device).unwrap());
            let input = Var::from_slice(&x, (STEPS, INPUTS), device).unwrap();
            let states = layer::recurrent(&input, &variable, shape, false, &batch, &LayerOutput::States).unwrap();
            let [_, gradients] = &with_gradients(&states, &[&variable])[..] else { unreachable!() };
            let d_hidden = random(STEPS * n, 6);
            let mut double: Vec<f64> = parameters.iter().map(|&value| f64::from(value)).collect();
            // A prime stride visits every kind of parameter and every gate.
            for index in (0..parameters.len()).step_by(1 + parameters.len() / 101) {
                const STEP: f64 = 1e-5;
                let kept = double[index];
                let mut at = |value: f64| {
                    double[index] = value;
                    loss(shape, &double, &x, &d_hidden)
                };
                let difference = (at(kept + STEP) - at(kept - STEP)) / (2.0 * STEP);
                double[index] = kept;
                close(&[gradients[index]], &[difference as f32], 1e-5, &format!("{cell:?} {n}, parameter {index}"));
            }
        }
    }
}

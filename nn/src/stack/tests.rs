//! Compares the recurrent layers with PyTorch: outputs, final states and gradients of `golden/recurrent.json`, which
//! `golden/make.py` wrote with the version of PyTorch on its first line.

use super::{Stack, StackInput};
use crate::architecture::{Cell, CellBias, Recurrent};
use crate::lstm::Lstm;
use crate::ops;
use crate::packed::{Direction, PackedLayout};
use crate::pooling::Reduction;
use crate::recurrent::{Biases, Layer};
use crate::weights::{Array, Weights};
use candle_core::{Device, Tensor, Var};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    made_by: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    cell: Cell,
    layers: usize,
    bidirectional: bool,
    hidden_size: usize,
    /// [sequence][token][input_size], as the other rows of tokens.
    x: Vec<Vec<Vec<f32>>>,
    parameters: BTreeMap<String, Value>,
    /// The last layer's directions side by side.
    output: Vec<Vec<Vec<f32>>>,
    /// [layer × direction][sequence][hidden_size]
    h_n: Vec<Vec<Vec<f32>>>,
    c_n: Option<Vec<Vec<Vec<f32>>>>,
    d_output: Vec<Vec<Vec<f32>>>,
    d_h_n: Vec<Vec<Vec<f32>>>,
    d_x: Vec<Vec<Vec<f32>>>,
    d_parameters: BTreeMap<String, Value>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/recurrent.json")).unwrap()
}

/// The numbers of nested lists.
fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(parts) => [vec![parts.len()], shape(&parts[0])].concat(),
        _ => vec![],
    }
}

fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * b.abs().max(1.0), "{what}[{index}]: {a}, PyTorch has {b}");
    }
}

fn tensor(rows: &[Vec<f32>]) -> Tensor {
    Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

impl Case {
    fn name(&self) -> String {
        let direction = if self.bidirectional { "bidirectional" } else { "one direction" };
        format!("{}, {} layers, {direction}", self.cell.name(), self.layers)
    }

    fn recurrent(&self) -> Recurrent {
        let (num_layers, bidirectional) = (self.layers, self.bidirectional);
        Recurrent { cell: self.cell, num_layers, bidirectional, ..Recurrent::default() }
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::default();
        for (name, value) in &self.parameters {
            weights.insert(name, Array { shape: shape(value), data: flat(value) });
        }
        weights
    }

    fn layout(&self) -> Arc<PackedLayout> {
        Arc::new(PackedLayout::new(&self.x.iter().map(Vec::len).collect::<Vec<_>>()))
    }

    /// Rows of tokens as they are packed.
    fn packed(&self, rows: &[Vec<Vec<f32>>]) -> Vec<Vec<f32>> {
        let views: Vec<Vec<&Vec<f32>>> = rows.iter().map(|rows| rows.iter().collect()).collect();
        let views: Vec<&[&Vec<f32>]> = views.iter().map(Vec::as_slice).collect();
        self.layout().pack(&views).into_iter().cloned().collect()
    }

    /// Rows of sequences in the order of the layout.
    fn sorted(&self, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
        self.layout().order().iter().map(|&sequence| rows[sequence].clone()).collect()
    }
}

#[test]
fn outputs_final_states_and_gradients_are_pytorchs() {
    for case in golden().cases {
        let (layout, recurrent) = (case.layout(), case.recurrent());
        let stack = Stack::new(&case.weights(), recurrent, &Device::Cpu).unwrap();
        let x = Var::from_tensor(&tensor(&case.packed(&case.x))).unwrap();
        let input = StackInput { x: &x, tokens: None, layout: &layout, on_device: None };
        let states = stack.forward(input, |x| Ok(x.clone())).unwrap();

        let output = Tensor::cat(states.last().unwrap(), 1).unwrap();
        close(&values(&output), &case.packed(&case.output).concat(), &format!("{}: output", case.name()));
        let mut loss = (output * tensor(&case.packed(&case.d_output))).unwrap().sum_all().unwrap();

        let directions = recurrent.directions().iter().cycle();
        for (index, (states, direction)) in states.iter().flatten().zip(directions).enumerate() {
            let h_n = ops::reduce(states, layout.clone(), Reduction::Last(*direction)).unwrap();
            close(&values(&h_n), &case.sorted(&case.h_n[index]).concat(), &format!("{}: h_n {index}", case.name()));
            let part = (h_n * tensor(&case.sorted(&case.d_h_n[index]))).unwrap().sum_all().unwrap();
            loss = (loss + part).unwrap();
        }
        let head = stack.head_input(states.last().unwrap(), &layout, None).unwrap();
        let last = &case.h_n[case.h_n.len() - recurrent.directions().len()..];
        let last: Vec<Vec<f32>> =
            (0..case.x.len()).map(|sequence| last.iter().flat_map(|h_n| h_n[sequence].clone()).collect()).collect();
        close(&values(&head), &case.sorted(&last).concat(), &format!("{}: head", case.name()));

        let pooled = stack.pooled(input, |x| Ok(x.clone())).unwrap();
        assert_eq!(values(&pooled), values(&head));

        let store = loss.backward().unwrap();
        close(&values(store.get(&x).unwrap()), &case.packed(&case.d_x).concat(), &format!("{}: d_x", case.name()));
        let mut gradients = stack.gradients(&store).unwrap().into_iter();
        for layer in 0..case.layers {
            for &direction in recurrent.directions() {
                let names = recurrent.names(layer, direction);
                for name in [names.w_ih, names.w_hh, names.b_ih].into_iter().chain(names.b_hh) {
                    let expected = flat(&case.d_parameters[&name]);
                    close(&gradients.next().unwrap(), &expected, &format!("{}: d {name}", case.name()));
                }
            }
        }
        assert!(gradients.next().is_none());
    }
}

#[test]
fn final_cell_states_are_pytorchs() {
    let mut compared = 0;
    for case in golden().cases {
        let Some(c_n) = case.c_n.as_ref().filter(|_| case.layers == 1) else { continue };
        let (layout, weights, n) = (case.layout(), case.weights(), case.hidden_size);
        let x = case.packed(&case.x).concat();
        for (&direction, c_n) in case.recurrent().directions().iter().zip(c_n) {
            let names = case.recurrent().names(0, direction);
            let biases = Biases::of_layer(Cell::Lstm, &weights, &names);
            let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| &weights[name].data);
            let mut cells = Lstm::new(&layout, n);
            Layer::new(Cell::Lstm, direction, w_ih, w_hh, &biases).run_cells(&mut cells, &x, None, &layout);
            let last = Reduction::Last(direction).forward(cells.cell_states(), &layout, n);
            close(&last, &case.sorted(c_n).concat(), &format!("{}: c_n {direction:?}", case.name()));
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}

#[test]
fn golden_file_has_every_cell_depth_and_direction() {
    let golden = golden();
    assert!(golden.made_by.contains("torch"));
    let textbook = vec![vec![vec![1.0; 5], vec![2.0; 5], vec![3.0; 5]]];
    for &cell in Cell::ALL {
        let of_cell = || golden.cases.iter().filter(|case| case.cell == cell);
        assert!(of_cell().any(|case| case.x == textbook && case.hidden_size == 2));
        for (layers, bidirectional) in [(1, false), (1, true), (2, false), (2, true)] {
            let matches = |case: &&Case| (case.layers, case.bidirectional, case.x.len()) == (layers, bidirectional, 3);
            assert_eq!(of_cell().filter(matches).count(), 1);
        }
    }
    // The reverse direction's final state is the one at the first token.
    let case = golden.cases.iter().find(|case| case.bidirectional && case.layers == 1).unwrap();
    let n = case.hidden_size;
    for (output, h_n) in case.output.iter().zip(&case.h_n[1]) {
        assert_eq!(&output[0][n..], h_n);
    }
    assert_eq!(case.layout().last_rows(Direction::Reverse).next(), Some(0));
}

/// With one bias the parameters lack `bias_hh`, and the results are PyTorch's for `bias_hh` = 0.
#[test]
fn one_bias_equals_pytorch_with_bias_hh_of_zero() {
    for case in golden().cases {
        let (layout, two) = (case.layout(), case.recurrent());
        let one = Recurrent { bias: CellBias::One, ..two };
        let mut zeroed = case.weights();
        let mut without = Weights::default();
        for (name, array) in case.weights().iter() {
            if name.contains("bias_hh") {
                zeroed.get_mut(name).data.fill(0.0);
            } else {
                without.insert(name, array.clone());
            }
        }
        let x = Var::from_tensor(&tensor(&case.packed(&case.x))).unwrap();
        let input = StackInput { x: &x, tokens: None, layout: &layout, on_device: None };
        let [(output, gradients), (expected, expected_gradients)] =
            [(one, without), (two, zeroed)].map(|(kind, weights)| {
                let stack = Stack::new(&weights, kind, &Device::Cpu).unwrap();
                let output = stack.merged_states(input, |x| Ok(x.clone())).unwrap();
                let loss = (&output * tensor(&case.packed(&case.d_output))).unwrap().sum_all().unwrap();
                (values(&output), stack.gradients(&loss.backward().unwrap()).unwrap())
            });
        assert_eq!(output, expected, "{}", case.name());
        let expected: Vec<_> = expected_gradients.chunks_exact(4).flat_map(|four| &four[..3]).collect();
        assert_eq!(gradients.iter().collect::<Vec<_>>(), expected, "{}", case.name());
    }
}

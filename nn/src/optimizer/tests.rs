//! Compares the optimizers with PyTorch (`golden/steps.json`, which `golden/make.py` wrote with the version of PyTorch
//! on its first line) and tests clipping, weight decay and averaging.

use super::*;
use crate::weights::Array;
use serde::Deserialize;

fn one(name: &'static str, shape: Vec<usize>, value: f32) -> Weights {
    let mut weights = Weights::default();
    weights.insert(name, Array { data: vec![value; shape.iter().product()], shape });
    weights
}

fn settings() -> Settings {
    Settings { method: Method::AdamW, weight_decay: 0.1, clip_norm: 100.0, averaging: 0.5 }
}

const METHODS: [Method; 4] = [
    Method::AdamW,
    Method::Sgd { momentum: 0.0, nesterov: false },
    Method::Sgd { momentum: 0.9, nesterov: false },
    Method::Sgd { momentum: 0.9, nesterov: true },
];

#[test]
fn first_step_of_adam_has_the_length_of_the_learning_rate() {
    // m / (√v + ε) is ±1 after the bias corrections for any gradient; weight decay is added to that.
    let mut weights = one("w", vec![1, 2], 1.0);
    let mut average = weights.clone();
    let mut adam = Optimizer::new(&["w"], &weights, settings());
    let norm = adam.step(&mut weights, &mut average, &[vec![3.0, -4.0]], &[], 0.01);
    assert_eq!(norm, 5.0);
    let w = &weights["w"].data;
    assert!((w[0] - (1.0 - 0.001 - 0.01)).abs() < 1e-6 && (w[1] - (1.0 - 0.001 + 0.01)).abs() < 1e-6, "{w:?}");
    assert_eq!(average["w"].data, *w);
}

#[test]
fn biases_do_not_decay() {
    for method in METHODS {
        let step = |shape: Vec<usize>| {
            let mut weights = one("w", shape, 1.0);
            let mut average = weights.clone();
            let mut optimizer = Optimizer::new(&["w"], &weights, Settings { method, ..settings() });
            optimizer.step(&mut weights, &mut average, &[vec![0.0]], &[], 0.5);
            weights["w"].data[0]
        };
        assert_eq!(step(vec![1]), 1.0, "{method:?}");
        assert!(step(vec![1, 1]) < 1.0, "{method:?}");
    }
}

#[test]
fn every_method_minimises_a_parabola() {
    for method in METHODS {
        let mut weights = one("b", vec![1], 5.0);
        let mut average = weights.clone();
        let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, ..settings() });
        for _ in 0..2000 {
            let gradient = 2.0 * (weights["b"].data[0] - 3.0);
            optimizer.step(&mut weights, &mut average, &[vec![gradient]], &[], 0.05);
        }
        assert!((average["b"].data[0] - 3.0).abs() < 1e-2, "{method:?}");
    }
}

#[test]
fn gradients_longer_than_clip_norm_are_clipped() {
    let length_of_step = |clip_norm: f64| {
        let mut weights = one("b", vec![2], 0.0);
        let mut average = weights.clone();
        let method = Method::Sgd { momentum: 0.0, nesterov: false };
        let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, clip_norm, ..settings() });
        assert_eq!(optimizer.step(&mut weights, &mut average, &[vec![3.0, 4.0]], &[], 1.0), 5.0);
        weights["b"].data[0].hypot(weights["b"].data[1])
    };
    for (clip_norm, expected) in [(1.0, 1.0), (2.5, 2.5), (5.0, 5.0), (6.0, 5.0), (0.0, 5.0)] {
        assert!((length_of_step(clip_norm) - expected).abs() < 1e-6, "clip_norm {clip_norm}");
    }
}

#[test]
fn running_average_starts_short_and_then_follows_its_decay() {
    let mut weights = one("b", vec![1], 0.0);
    let mut average = weights.clone();
    let method = Method::Sgd { momentum: 0.0, nesterov: false };
    let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, averaging: 0.5, ..settings() });
    let mut expected = 0.0f64;
    for step in 1..=40 {
        optimizer.step(&mut weights, &mut average, &[vec![-1.0]], &[], 1.0);
        let kept = 0.5f64.min((f64::from(step) - 1.0) / (f64::from(step) + 9.0));
        expected = kept * expected + (1.0 - kept) * f64::from(step);
        assert!((f64::from(average["b"].data[0]) - expected).abs() < 1e-4, "step {step}");
    }
    // The average of a straight line with decay d lags d / (1 - d) steps behind it.
    assert!((average["b"].data[0] - 39.0).abs() < 1e-3);
}

/// A table of 5 rows whose gradients are given for some rows, beside a bias, and the same table under another name with
/// all gradients.
#[test]
fn sparse_steps_equal_dense_ones_for_the_rows_they_use_and_average_all_rows() {
    for method in METHODS {
        let (rows, width) = (5, 3);
        let table: Vec<f32> = (0..rows * width).map(|index| (index * 7 % 11) as f32 / 10.0).collect();
        let array = |data: &[f32]| Array { shape: vec![rows, width], data: data.to_vec() };
        let (mut weights, mut average) = (Weights::default(), Weights::default());
        weights.insert(names::NGRAMS, array(&table));
        average.insert(names::NGRAMS, array(&vec![0.0; rows * width]));
        // Each row is a parameter of its own with an optimizer of its own, which steps whenever the row is used.
        let row = |row: usize| Array { shape: vec![1, width], data: table[row * width..][..width].to_vec() };
        let mut single: Vec<Weights> = Vec::new();
        for index in 0..rows {
            let mut weights = Weights::default();
            weights.insert("row", row(index));
            single.push(weights);
        }
        let settings = Settings { method, averaging: 0.9, clip_norm: 0.0, weight_decay: 0.1 };
        let mut optimizer = Optimizer::new(&[names::NGRAMS], &weights, settings);
        let mut optimizers: Vec<_> = single.iter().map(|weights| Optimizer::new(&["row"], weights, settings)).collect();
        let mut expected_average: Vec<f64> = table.iter().map(|&value| value.into()).collect();
        for step in 1..=200i32 {
            let used: Vec<u32> = (0..rows as u32).filter(|row| (step as u32).is_multiple_of(row + 2)).collect();
            let gradient =
                |row: u32| (0..width).map(move |column| (row as f32 - step as f32 % 4.0) * (column as f32 - 0.5));
            let gradients = vec![used.iter().flat_map(|&row| gradient(row)).collect()];
            optimizer.step(&mut weights, &mut average, &gradients, &used, 0.01);
            for &row in &used {
                // The bias correction counts all steps.
                optimizers[row as usize].set_progress(step - 1, 1.0);
                let weights = &mut single[row as usize];
                let mut average = weights.clone();
                optimizers[row as usize].step(weights, &mut average, &[gradient(row).collect()], &[], 0.01);
            }
            let dense: Vec<f32> = single.iter().flat_map(|weights| weights["row"].data.clone()).collect();
            assert_eq!(weights[names::NGRAMS].data, dense, "{method:?} step {step}");
            let kept = 0.9f64.min((f64::from(step) - 1.0) / (f64::from(step) + 9.0));
            for (average, &weight) in expected_average.iter_mut().zip(&dense) {
                *average = kept * *average + (1.0 - kept) * f64::from(weight);
            }
            let averaged = optimizer.averaged(&weights, &average);
            for (&found, expected) in averaged[names::NGRAMS].data.iter().zip(&expected_average) {
                assert!((f64::from(found) - expected).abs() < 1e-4 * expected.abs().max(1.0), "{method:?} step {step}");
            }
        }
        assert!(optimizer.lag_factor() > LEAST_LAG_FACTOR);
    }
}

/// Largest difference from PyTorch's weights.
const TOLERANCE: f32 = 2e-6;

#[derive(Deserialize)]
struct Golden {
    made_by: String,
    rates: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    kind: String,
    momentum: f32,
    nesterov: bool,
    weight_decay: f32,
    /// 0 disables clipping.
    clip_norm: f64,
    /// A matrix of [2, 3], which decays, and a bias of [3].
    start: [Vec<f32>; 2],
    /// The gradients of each step.
    gradients: Vec<[Vec<f32>; 2]>,
    /// The norm of each step's gradients before clipping.
    norms: Vec<f64>,
    /// The weights after each step.
    weights: Vec<[Vec<f32>; 2]>,
}

#[test]
fn every_step_is_pytorchs() {
    let golden: Golden = serde_json::from_str(include_str!("golden/steps.json")).unwrap();
    assert!(golden.made_by.contains("torch"));
    assert_eq!(golden.cases.len(), 7);
    for case in golden.cases {
        let method = match case.kind.as_str() {
            "adamw" => Method::AdamW,
            _ => Method::Sgd { momentum: case.momentum, nesterov: case.nesterov },
        };
        let mut weights = Weights::default();
        weights.insert("matrix", Array { shape: vec![2, 3], data: case.start[0].clone() });
        weights.insert("bias", Array { shape: vec![3], data: case.start[1].clone() });
        let mut average = weights.clone();
        let settings = Settings { method, weight_decay: case.weight_decay, clip_norm: case.clip_norm, averaging: 0.0 };
        let mut optimizer = Optimizer::new(&["matrix", "bias"], &weights, settings);
        for (step, rate) in golden.rates.iter().enumerate() {
            let norm = optimizer.step(&mut weights, &mut average, &case.gradients[step], &[], *rate);
            assert!((norm - case.norms[step]).abs() < 1e-5, "{settings:?} step {step}: norm {norm}");
            for (name, expected) in ["matrix", "bias"].into_iter().zip(&case.weights[step]) {
                let found = &weights[name].data;
                let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE);
                assert!(close, "{settings:?} step {step}: {name} is {found:?}, expected {expected:?}");
                assert_eq!(average[name].data, *found, "without averaging the average equals the weights");
            }
        }
    }
}

//! The optimizers against PyTorch: the steps of `golden/steps.json`, which `golden/make.py` wrote with the version of
//! PyTorch that its first line names.

use super::{Method, Optimizer, Settings};
use crate::weights::{Array, Weights};
use serde::Deserialize;

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
    /// 0: none.
    clip_norm: f64,
    /// A matrix of [2, 3], which decays, and a bias of [3].
    start: [Vec<f32>; 2],
    /// By step.
    gradients: Vec<[Vec<f32>; 2]>,
    /// By step, before clipping.
    norms: Vec<f64>,
    /// After each step.
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
            let norm = optimizer.step(&mut weights, &mut average, &case.gradients[step], *rate);
            assert!((norm - case.norms[step]).abs() < 1e-5, "{settings:?} step {step}: norm {norm}");
            for (name, expected) in ["matrix", "bias"].into_iter().zip(&case.weights[step]) {
                let found = &weights[name].data;
                let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE);
                assert!(close, "{settings:?} step {step}: {name} is {found:?}, expected {expected:?}");
                assert_eq!(average[name].data, *found, "no averaging: the average is the weights");
            }
        }
    }
}

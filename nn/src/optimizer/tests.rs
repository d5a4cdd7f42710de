use super::*;
use crate::weights::Array;

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
fn adams_first_step_is_as_long_as_the_rate() {
    // m / (√v + ε) is ±1 after the bias corrections, whatever the gradient; the decay comes on top.
    let mut weights = one("w", vec![1, 2], 1.0);
    let mut average = weights.clone();
    let mut adam = Optimizer::new(&["w"], &weights, settings());
    let norm = adam.step(&mut weights, &mut average, &[vec![3.0, -4.0]], 0.01);
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
            optimizer.step(&mut weights, &mut average, &[vec![0.0]], 0.5);
            weights["w"].data[0]
        };
        assert_eq!(step(vec![1]), 1.0, "{method:?}");
        assert!(step(vec![1, 1]) < 1.0, "{method:?}");
    }
}

#[test]
fn finds_the_bottom_of_a_bowl() {
    for method in METHODS {
        let mut weights = one("b", vec![1], 5.0);
        let mut average = weights.clone();
        let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, ..settings() });
        for _ in 0..2000 {
            let gradient = 2.0 * (weights["b"].data[0] - 3.0);
            optimizer.step(&mut weights, &mut average, &[vec![gradient]], 0.05);
        }
        assert!((average["b"].data[0] - 3.0).abs() < 1e-2, "{method:?}");
    }
}

#[test]
fn long_gradients_are_shortened_and_short_ones_left() {
    let length_of_step = |clip_norm: f64| {
        let mut weights = one("b", vec![2], 0.0);
        let mut average = weights.clone();
        let method = Method::Sgd { momentum: 0.0, nesterov: false };
        let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, clip_norm, ..settings() });
        assert_eq!(optimizer.step(&mut weights, &mut average, &[vec![3.0, 4.0]], 1.0), 5.0);
        weights["b"].data[0].hypot(weights["b"].data[1])
    };
    for (clip_norm, expected) in [(1.0, 1.0), (2.5, 2.5), (5.0, 5.0), (6.0, 5.0), (0.0, 5.0)] {
        assert!((length_of_step(clip_norm) - expected).abs() < 1e-6, "clip_norm {clip_norm}");
    }
}

#[test]
fn the_average_follows_closely_at_first_and_by_its_decay_later() {
    let mut weights = one("b", vec![1], 0.0);
    let mut average = weights.clone();
    let method = Method::Sgd { momentum: 0.0, nesterov: false };
    let mut optimizer = Optimizer::new(&["b"], &weights, Settings { method, averaging: 0.5, ..settings() });
    let mut expected = 0.0f64;
    for step in 1..=40 {
        optimizer.step(&mut weights, &mut average, &[vec![-1.0]], 1.0);
        let kept = 0.5f64.min((f64::from(step) - 1.0) / (f64::from(step) + 9.0));
        expected = kept * expected + (1.0 - kept) * f64::from(step);
        assert!((f64::from(average["b"].data[0]) - expected).abs() < 1e-4, "step {step}");
    }
    // Of a straight line, an average with decay d lags d/(1-d) steps behind.
    assert!((average["b"].data[0] - 39.0).abs() < 1e-3);
}

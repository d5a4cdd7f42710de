//! Tests of the table against its source, and of probabilities against f64.

use super::*;
use crate::golden::assert_golden;
use crate::testing::Random;
use std::{format, println, string::String, vec::Vec};

#[test]
fn table() {
    let mut made =
        String::from("// made by softmax::tests::table; TERN_BLESS=1 cargo test -p tern-runtime makes it again\n[\n");
    for j in 0..=64 {
        made += &format!("    {},\n", (2f64.powf(-f64::from(j) / 64.0 + 30.0)).round());
    }
    made.push_str("]\n");
    assert_golden("src/tables/pow2.in", made.as_bytes());
}

#[test]
fn errors() {
    // Every input whose result is not zero, and beyond: 31 · ln 2 is less than 22.
    let (mut largest, mut at, mut squares, inputs) = (0f64, 0, 0f64, 0..=22u32 << 16);
    let count = inputs.clone().count() as f64;
    for d in inputs.chain([u32::MAX]) {
        let exact = (-f64::from(d) / 65_536.0).exp();
        let error = f64::from(exp_neg(d)) / 2f64.powi(30) - exact;
        squares += error * error;
        if error.abs() > largest {
            (largest, at) = (error.abs(), d);
        }
    }
    let rms = (squares / count).sqrt();
    println!("exp: largest error {largest:.2e} at {:.3}, RMS {rms:.2e}", -f64::from(at) / 65_536.0);
    assert!(largest < 1.6e-5 && rms < 2e-6, "{largest:e}, {rms:e}");
    assert_eq!([22 << 16, u32::MAX].map(exp_neg), [0; 2]);

    let (mut random, mut largest) = (Random(1), 0f64);
    for case in 0..2_000 {
        let classes = random.between(1, 40);
        let spread = if case % 10 == 0 { i64::from(i32::MAX) } else { 6 << 16 };
        let logits: Vec<i32> = (0..classes).map(|_| random.between(-spread, spread) as i32).collect();
        let top = *logits.iter().max().unwrap();
        let sum: f64 = logits.iter().map(|&l| (f64::from(l) / 65_536.0 - f64::from(top) / 65_536.0).exp()).sum();
        let mut whole = 0;
        for &logit in &logits {
            let p = probability(logit, top, logits.iter().copied());
            let exact = (f64::from(logit) / 65_536.0 - f64::from(top) / 65_536.0).exp() / sum;
            largest = largest.max((f64::from(p) / 65_536.0 - exact).abs());
            whole += p;
        }
        assert!(whole.abs_diff(65_536) <= 40, "probabilities add up to {whole}");
    }
    println!("probability: largest error {largest:.2e}");
    assert!(largest < 3e-5, "{largest:e}");
}

#[test]
fn quotients_are_those_of_a_division() {
    let mut random = Random(4);
    for _ in 0..100_000 {
        let divisor = random.between(1 << 30, (1 << 46) - 1) as u64;
        let dividend = (random.between(0, 1 << 16) as u64 * divisor) + random.between(0, divisor as i64 - 1) as u64;
        assert_eq!(u64::from(quotient(dividend, divisor)), dividend / divisor);
    }
}

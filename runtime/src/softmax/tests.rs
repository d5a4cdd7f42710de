//! The table against its source, and probabilities against f64.

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
    let mut largest = 0f64;
    for d in (0..24 << 16).step_by(3).chain([u32::MAX]) {
        let exact = (-f64::from(d) / 65_536.0).exp();
        largest = largest.max((f64::from(exp_neg(d)) / 2f64.powi(30) - exact).abs());
    }
    println!("exp: largest error {largest:.2e}");
    assert!(largest < 1.6e-5, "{largest:e}");

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

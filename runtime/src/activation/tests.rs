//! Tests of the tables against their sources, and of the functions against f64 over all inputs.

use super::*;
use crate::golden::assert_golden;
use std::{format, println, string::String};

/// Compares a committed table with what it is made from; `TERN_BLESS=1 cargo test -p tern-runtime` makes it again.
fn golden(name: &str, cells: impl Iterator<Item = i32>) {
    let mut made = String::from(
        "// made by activation::tests::tables; TERN_BLESS=1 cargo test -p tern-runtime makes it again\n[\n",
    );
    for cell in cells {
        made += &format!("    {cell},\n");
    }
    made.push_str("]\n");
    assert_golden(&format!("src/tables/{name}"), made.as_bytes());
}

/// Cells of `f` over inputs in Q`zq`: per cell the chord's slope, and a value that halves the chord's largest error.
fn cells(f: impl Fn(f64) -> f64, zq: i32) -> impl Iterator<Item = i32> {
    (-128i64..128).map(move |cell| {
        let at = |edge: f64| f(edge * 32_768.0 / 2f64.powi(zq));
        let (mut left, mut middle, mut right) = (at(cell as f64), at(cell as f64 + 0.5), at(cell as f64 + 1.0));
        // The end cells stand for everything beyond them too.
        if cell == -128 {
            let value = (right + f(-1e9)) / 2.0;
            (left, middle, right) = (value, value, value);
        }
        if cell == 127 {
            let value = (left + f(1e9)) / 2.0;
            (left, middle, right) = (value, value, value);
        }
        let slope = ((right - left) * 65_536.0).round() as i64;
        assert!(i16::try_from(slope).is_ok(), "slope of cell {cell}");
        // An odd cell's offset counts from its right edge.
        let anchor = if cell & 1 == 1 { right } else { left } + (middle - (left + right) / 2.0) / 2.0;
        let low = slope & 0xffff;
        let value =
            ((anchor * 2f64.powi(31) + 32_768.0 - low as f64) / 65_536.0).round().clamp(-32_768.0, 32_767.0) as i64;
        let offsets = if cell & 1 == 1 { [-32_768, -1] } else { [0, 32_767] };
        for offset in offsets {
            assert!(i32::try_from(value * 65_536 + low + slope * offset).is_ok(), "cell {cell} wraps");
        }
        ((value << 16) | low) as i32
    })
}

fn exact_sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[test]
fn tables() {
    golden("sigmoid.in", cells(exact_sigmoid, 19));
    golden("tanh.in", cells(f64::tanh, 20));
}

/// Largest and RMS error over every input from −16 to 16, and the value beyond.
fn errors_of(name: &str, f: impl Fn(i32) -> i32, exact: impl Fn(f64) -> f64, zq: i32) -> (f64, f64) {
    let scale = 2f64.powi(zq);
    let (mut largest, mut squares, mut at) = (0f64, 0f64, 0);
    let range = -(16 << zq)..=16 << zq;
    let count = range.clone().count() as f64;
    for z in range {
        let error = f64::from(f(z)) / 32_768.0 - exact(f64::from(z) / scale);
        squares += error * error;
        if error.abs() > largest {
            (largest, at) = (error.abs(), z);
        }
    }
    let rms = (squares / count).sqrt();
    println!("{name}: largest error {largest:.2e} at {:.3}, RMS {rms:.2e}", f64::from(at) / scale);
    assert_eq!(f(i32::MIN), f(-(16 << zq)), "below the table");
    assert_eq!(f(i32::MAX), f(16 << zq), "above the table");
    (largest, rms)
}

#[test]
fn errors() {
    let (largest, rms) = errors_of("sigmoid", sigmoid, exact_sigmoid, 19);
    assert!(largest < 2.1e-4 && rms < 1.1e-4, "sigmoid: {largest:e}, {rms:e}");
    let (largest, rms) = errors_of("tanh", tanh, f64::tanh, 20);
    assert!(largest < 4.2e-4 && rms < 3.6e-4, "tanh: {largest:e}, {rms:e}");
}

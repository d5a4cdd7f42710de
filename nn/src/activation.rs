//! Sigmoid and tanh without branches, so that the compiler vectorises loops that call them.
//!
//! The parameter `fused` of a function is the value of [`has_fused_multiply_add`] for the instruction set of the loop.

use pulp::Simd;

/// Coefficients of a polynomial for 2^x on |x| <= 1/2, the constant one first, fitted to the smallest relative error,
/// which is at most 8e-8.
const EXP2: [f32; 6] = [1.0, 0.693_146_97, 0.240_221_2, 0.055_507_133, 0.009_675_541, 0.001_327_646_1];
/// The number 1.5 · 2^23. Adding it to an x with |x| < 2^22 rounds x to an integer and leaves that integer in the low
/// bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// Returns true if the instruction set `S` has a fused multiply-add. Without one, `f32::mul_add` calls a slow library
/// function.
#[inline(always)]
pub fn has_fused_multiply_add<S: Simd>() -> bool {
    // On these processors, every vector instruction set of pulp has one. Its scalar instruction set has one lane.
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && S::F32_LANES > 1
}

/// Computes a·b + c, rounded once if `fused`, otherwise twice.
#[inline(always)]
fn mul_add(fused: bool, a: f32, b: f32, c: f32) -> f32 {
    if fused { a.mul_add(b, c) } else { a * b + c }
}

/// Computes 1 / (1 + e^-x). The absolute error is below 2e-7 for every finite x (test `sigmoid_is_close_everywhere`).
/// NaN gives the result of −∞.
#[inline(always)]
pub fn sigmoid(fused: bool, x: f32) -> f32 {
    1.0 / (1.0 + exp_of_minus(fused, x))
}

/// Computes e^-x, clamped to 2^-126 … 2^126; 2^126 for NaN.
#[inline(always)]
fn exp_of_minus(fused: bool, x: f32) -> f32 {
    let t = x * -std::f32::consts::LOG2_E;
    // Comparisons, because `f32::clamp` keeps NaN.
    let t = if t < 126.0 { t } else { 126.0 };
    let t = if t > -126.0 { t } else { -126.0 };
    // t = k + f with an integer k and |f| <= 1/2.
    let rounded = t + ROUND;
    let f = t - (rounded - ROUND);
    let p = EXP2[5];
    let p = mul_add(fused, p, f, EXP2[4]);
    let p = mul_add(fused, p, f, EXP2[3]);
    let p = mul_add(fused, p, f, EXP2[2]);
    let p = mul_add(fused, p, f, EXP2[1]);
    let p = mul_add(fused, p, f, EXP2[0]);
    // 2^t = 2^f · 2^k, where p is 2^f and k is in the low bits of `rounded`. A float stores 2^k as k + 127 in the bits
    // of its exponent, the bits from 23 on.
    p * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// Computes tanh(x) as 2σ(2x) − 1. The absolute error is below 4e-7 for every finite x (test
/// `tanh_is_close_everywhere`). NaN gives the result of −∞.
#[inline(always)]
pub fn tanh(fused: bool, x: f32) -> f32 {
    2.0 * sigmoid(fused, 2.0 * x) - 1.0
}

/// Computes 1 − x.
#[inline(always)]
pub fn one_minus<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.sub_f32s(simd.splat_f32s(1.0), x)
}

/// Computes d · y · (1 − y), the gradient of a sigmoid's input, from the gradient d of its output y.
#[inline(always)]
pub fn sigmoid_backward<S: Simd>(simd: S, d: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.mul_f32s(d, y), one_minus(simd, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 4096th f32, zero, and the largest and smallest f32.
    fn sweep() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(4096).map(f32::from_bits).chain([f32::MAX, f32::MIN, 0.0]).filter(|x| x.is_finite())
    }

    #[test]
    fn sigmoid_is_close_everywhere() {
        for x in sweep() {
            let expected = 1.0 / (1.0 + (-x as f64).exp());
            for fused in [false, true] {
                assert!((sigmoid(fused, x) as f64 - expected).abs() < 2e-7, "{x}");
            }
        }
    }

    #[test]
    fn tanh_is_close_everywhere() {
        for x in sweep() {
            for fused in [false, true] {
                assert!((tanh(fused, x) as f64 - (x as f64).tanh()).abs() < 4e-7, "{x}");
            }
        }
    }
}

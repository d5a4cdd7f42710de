//! The arithmetic of LSTM cells, given the gates' sums: one row of the batch at a time.
//!
//! ```text
//! i = σ(zᵢ)  f = σ(z_f)  g = tanh(z_g)  o = σ(z_o)      gates in PyTorch's order
//! c = f·c₋₁ + i·g        h = o·tanh(c)
//! ```

use pulp::{Arch, NullaryFnOnce};

/// 2^x on |x| <= 1/2: polynomial fitted for relative error, 8e-8 at most.
const EXP2: [f32; 6] = [1.0, 0.693_146_97, 0.240_221_2, 0.055_507_133, 0.009_675_541, 0.001_327_646_1];
/// Adding it to |x| < 2^22 rounds x to an integer and leaves that integer in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// 1 / (1 + e^-x). Absolute error below 2e-7 for every x; without branches, so that loops over it become vectors.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let t = x * -std::f32::consts::LOG2_E;
    let t = if t < 126.0 { t } else { 126.0 };
    let t = if t > -126.0 { t } else { -126.0 };
    let rounded = t + ROUND;
    let f = t - (rounded - ROUND);
    let p = EXP2[5];
    let p = p * f + EXP2[4];
    let p = p * f + EXP2[3];
    let p = p * f + EXP2[2];
    let p = p * f + EXP2[1];
    let p = p * f + EXP2[0];
    let scale = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    1.0 / (1.0 + p * scale)
}

/// The hyperbolic tangent as 2σ(2x) - 1. Absolute error below 4e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// Forward through a row of `hidden_size` cells.
///
/// `gates`: `[4 * hidden_size]`, sums on entry, activations on return. `before`: cell state of the step before, if any.
/// `cell`, `squashed` (tanh of the cell state) and `hidden`: `[hidden_size]`, written.
pub fn forward(gates: &mut [f32], before: Option<&[f32]>, cell: &mut [f32], squashed: &mut [f32], hidden: &mut [f32]) {
    Arch::new().dispatch(Forward { gates, before, cell, squashed, hidden });
}

struct Forward<'a> {
    gates: &'a mut [f32],
    before: Option<&'a [f32]>,
    cell: &'a mut [f32],
    squashed: &'a mut [f32],
    hidden: &'a mut [f32],
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.hidden.len();
        let [i, f, g, o] = quarters(self.gates, n);
        let (cell, squashed, hidden) = (&mut self.cell[..n], &mut self.squashed[..n], &mut self.hidden[..n]);
        for u in 0..n {
            i[u] = sigmoid(i[u]);
            f[u] = sigmoid(f[u]);
            g[u] = tanh(g[u]);
            o[u] = sigmoid(o[u]);
        }
        match self.before {
            Some(before) => {
                let before = &before[..n];
                for u in 0..n {
                    cell[u] = f[u] * before[u] + i[u] * g[u];
                }
            }
            None => {
                for u in 0..n {
                    cell[u] = i[u] * g[u];
                }
            }
        }
        for u in 0..n {
            squashed[u] = tanh(cell[u]);
            hidden[u] = o[u] * squashed[u];
        }
    }
}

/// Backward through a row of `hidden_size` cells.
///
/// `gates`: `[4 * hidden_size]`, activations on entry, gradients of the gates' sums on return. `before`: as in
/// [`forward`]. `squashed`, `d_hidden`: `[hidden_size]`. `d_cell`: `[hidden_size]`, gradient of this step's cell state that
/// comes from the next step on entry, that of the step before on return.
pub fn backward(gates: &mut [f32], before: Option<&[f32]>, squashed: &[f32], d_hidden: &[f32], d_cell: &mut [f32]) {
    Arch::new().dispatch(Backward { gates, before, squashed, d_hidden, d_cell });
}

struct Backward<'a> {
    gates: &'a mut [f32],
    before: Option<&'a [f32]>,
    squashed: &'a [f32],
    d_hidden: &'a [f32],
    d_cell: &'a mut [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.d_hidden.len();
        let [i, f, g, o] = quarters(self.gates, n);
        let (squashed, d_hidden, d_cell) = (&self.squashed[..n], &self.d_hidden[..n], &mut self.d_cell[..n]);
        for u in 0..n {
            let d = d_hidden[u] * o[u] * (1.0 - squashed[u] * squashed[u]) + d_cell[u];
            d_cell[u] = d;
            o[u] = d_hidden[u] * squashed[u] * o[u] * (1.0 - o[u]);
        }
        for u in 0..n {
            let (d, iu, gu) = (d_cell[u], i[u], g[u]);
            i[u] = d * gu * iu * (1.0 - iu);
            g[u] = d * iu * (1.0 - gu * gu);
            d_cell[u] = d * f[u];
        }
        // `d_cell` holds d * f by now.
        match self.before {
            Some(before) => {
                let before = &before[..n];
                for u in 0..n {
                    f[u] = d_cell[u] * before[u] * (1.0 - f[u]);
                }
            }
            None => f.fill(0.0),
        }
    }
}

/// The four gates of a row.
#[inline(always)]
fn quarters(gates: &mut [f32], n: usize) -> [&mut [f32]; 4] {
    let (i, rest) = gates.split_at_mut(n);
    let (f, rest) = rest.split_at_mut(n);
    let (g, o) = rest.split_at_mut(n);
    [i, f, g, &mut o[..n]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 4096th f32, and the ends.
    fn sweep() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(4096).map(f32::from_bits).chain([f32::MAX, f32::MIN, 0.0]).filter(|x| x.is_finite())
    }

    #[test]
    fn sigmoid_is_close_everywhere() {
        for x in sweep() {
            let expected = 1.0 / (1.0 + (-x as f64).exp());
            assert!((sigmoid(x) as f64 - expected).abs() < 2e-7, "{x}");
        }
    }

    #[test]
    fn tanh_is_close_everywhere() {
        for x in sweep() {
            assert!((tanh(x) as f64 - (x as f64).tanh()).abs() < 4e-7, "{x}");
        }
    }
}

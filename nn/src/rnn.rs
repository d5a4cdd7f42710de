//! Plain recurrent cells: h = tanh(z) or h = max(0, z).

use super::activation::{fused, tanh};
use super::packed::Visit;
use super::recurrent::{Cells, Input, Rows, rows};
use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// What a cell makes of its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    Tanh,
    /// max(0, z).
    Relu,
}

/// The plain cells of a batch.
#[derive(Debug)]
pub struct Rnn {
    /// Sums, then their gradients.
    sums: Rows,
    nonlinearity: Nonlinearity,
}

impl Rnn {
    /// Cells for so many rows.
    pub fn new(rows: usize, nonlinearity: Nonlinearity, hidden_size: usize) -> Self {
        Rnn { sums: Rows::new(rows, hidden_size), nonlinearity }
    }
}

impl Cells for Rnn {
    fn start(&mut self, visit: &Visit, input: Input<'_>) {
        self.sums.start(visit, input);
    }

    fn sums(&mut self) -> &mut Rows {
        &mut self.sums
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let hidden = rows(hidden, visit.now.clone(), self.sums.width);
        let (sums, stride) = self.sums.of(visit);
        Arch::new().dispatch(Forward { nonlinearity: self.nonlinearity, sums, stride, n: self.sums.width, hidden });
    }

    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.sums.width;
        let now = visit.now.start * n..visit.now.end * n;
        let (hidden, d_hidden) = (&hidden[now.clone()], &d_hidden[now]);
        let (d_sums, stride) = self.sums.of_mut(visit);
        Arch::new().dispatch(Backward { nonlinearity: self.nonlinearity, d_sums, stride, n, hidden, d_hidden });
    }

    fn d_input(&self) -> &Rows {
        &self.sums
    }

    fn d_hidden_bias(&self) -> Vec<f32> {
        Vec::new()
    }
}

struct Forward<'a> {
    nonlinearity: Nonlinearity,
    sums: &'a [f32],
    stride: usize,
    n: usize,
    hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (sums, hidden) in self.sums.chunks(self.stride).zip(self.hidden.chunks_exact_mut(self.n)) {
            let pairs = hidden.iter_mut().zip(&sums[..self.n]);
            match self.nonlinearity {
                Nonlinearity::Tanh => {
                    for (hidden, &sum) in pairs {
                        *hidden = tanh(fused::<S>(), sum);
                    }
                }
                Nonlinearity::Relu => {
                    for (hidden, &sum) in pairs {
                        // As PyTorch: a sum that is not a number stays one.
                        *hidden = if sum <= 0.0 { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}

struct Backward<'a> {
    nonlinearity: Nonlinearity,
    d_sums: &'a mut [f32],
    stride: usize,
    n: usize,
    hidden: &'a [f32],
    d_hidden: &'a [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.n;
        let states = self.hidden.chunks_exact(n).zip(self.d_hidden.chunks_exact(n));
        for (d_sums, (hidden, d_hidden)) in self.d_sums.chunks_mut(self.stride).zip(states) {
            let triples = d_sums[..n].iter_mut().zip(hidden).zip(d_hidden);
            match self.nonlinearity {
                Nonlinearity::Tanh => {
                    for ((d_sum, &hidden), &d_hidden) in triples {
                        *d_sum = d_hidden * (1.0 - hidden * hidden);
                    }
                }
                Nonlinearity::Relu => {
                    for ((d_sum, &hidden), &d_hidden) in triples {
                        *d_sum = if hidden <= 0.0 { 0.0 } else { d_hidden };
                    }
                }
            }
        }
    }
}

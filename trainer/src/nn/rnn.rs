//! Plain recurrent cells: h = tanh(z) or h = max(0, z).

use super::activation::tanh;
use super::packed::Visit;
use super::recurrent::{Cells, rows};
use pulp::{Arch, NullaryFnOnce};

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
    /// Sums, then their gradients: `[rows, hidden_size]`.
    sums: Vec<f32>,
    nonlinearity: Nonlinearity,
    hidden_size: usize,
}

impl Rnn {
    /// `sums`: `[rows, hidden_size]`, the input's part.
    pub fn new(sums: Vec<f32>, nonlinearity: Nonlinearity, hidden_size: usize) -> Self {
        Rnn { sums, nonlinearity, hidden_size }
    }
}

impl Cells for Rnn {
    fn sums(&mut self) -> &mut [f32] {
        &mut self.sums
    }

    fn forward(&mut self, visit: &Visit, hidden: &mut [f32]) {
        let sums = rows(&mut self.sums, visit.now.clone(), self.hidden_size);
        let hidden = rows(hidden, visit.now.clone(), self.hidden_size);
        Arch::new().dispatch(Forward { nonlinearity: self.nonlinearity, sums, hidden });
    }

    fn backward(&mut self, visit: &Visit, hidden: &[f32], d_hidden: &mut [f32]) {
        let n = self.hidden_size;
        let now = visit.now.start * n..visit.now.end * n;
        let (d_sums, hidden, d_hidden) = (&mut self.sums[now.clone()], &hidden[now.clone()], &d_hidden[now]);
        Arch::new().dispatch(Backward { nonlinearity: self.nonlinearity, d_sums, hidden, d_hidden });
    }

    fn into_gradients(self: Box<Self>) -> (Vec<f32>, Vec<f32>) {
        (self.sums, Vec::new())
    }
}

struct Forward<'a> {
    nonlinearity: Nonlinearity,
    sums: &'a [f32],
    hidden: &'a mut [f32],
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let pairs = self.hidden.iter_mut().zip(self.sums);
        match self.nonlinearity {
            Nonlinearity::Tanh => {
                for (hidden, &sum) in pairs {
                    *hidden = tanh(sum);
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

struct Backward<'a> {
    nonlinearity: Nonlinearity,
    d_sums: &'a mut [f32],
    hidden: &'a [f32],
    d_hidden: &'a [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let triples = self.d_sums.iter_mut().zip(self.hidden).zip(self.d_hidden);
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

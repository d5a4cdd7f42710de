//! Plain recurrent layers that the fused ones are tested against: in f64 loops, and in candle's own operations.

use crate::architecture::Cell;
use crate::nn::packed::Direction;
use candle_core::{DType, Device, Result, Tensor};

/// Hidden states of one sequence, `[tokens][hidden_size]`, straight from PyTorch's definitions.
///
/// `gates`: `[tokens]`[gates * hidden_size]; `w_hh`: `[gates * hidden_size, hidden_size]`; `b_hn`: `[hidden_size]` of GRU.
pub fn plain(
    cell: Cell,
    gates: &[Vec<f64>],
    w_hh: &[f64],
    b_hn: &[f64],
    n: usize,
    direction: Direction,
) -> Vec<Vec<f64>> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut c) = (vec![0.0; n], vec![0.0; n]);
    let mut all = vec![Vec::new(); gates.len()];
    for index in 0..gates.len() {
        let token = if direction == Direction::Forward { index } else { gates.len() - 1 - index };
        let x = &gates[token];
        let s: Vec<f64> = (0..cell.gates() * n).map(|j| (0..n).map(|k| w_hh[j * n + k] * h[k]).sum::<f64>()).collect();
        for u in 0..n {
            let z = |gate: usize| x[gate * n + u] + s[gate * n + u];
            match cell {
                Cell::Lstm => {
                    c[u] = sigmoid(z(1)) * c[u] + sigmoid(z(0)) * z(2).tanh();
                    h[u] = sigmoid(z(3)) * c[u].tanh();
                }
                Cell::Gru => {
                    let new = (x[2 * n + u] + sigmoid(z(0)) * (s[2 * n + u] + b_hn[u])).tanh();
                    h[u] = (1.0 - sigmoid(z(1))) * new + sigmoid(z(1)) * h[u];
                }
                Cell::Rnn => h[u] = z(0).tanh(),
                Cell::RnnRelu => h[u] = z(0).max(0.0),
            }
        }
        all[token] = h.clone();
    }
    all
}

/// Hidden states of one sequence, `[tokens, hidden_size]`, step by step in candle's operations.
///
/// `gates`: `[tokens, gates * hidden_size]`; `w_hh`: `[gates * hidden_size, hidden_size]`; `b_hn`: `[hidden_size]` of GRU.
pub fn candle(cell: Cell, gates: &Tensor, w_hh: &Tensor, b_hn: &Tensor, direction: Direction) -> Result<Tensor> {
    use candle_nn::ops::sigmoid;
    let (tokens, n) = (gates.dim(0)?, w_hh.dim(1)?);
    let mut h = Tensor::zeros((1, n), DType::F32, &Device::Cpu)?;
    let mut c = h.clone();
    let mut all = Vec::new();
    for index in 0..tokens {
        let token = if direction == Direction::Forward { index } else { tokens - 1 - index };
        let x = gates.get(token)?.unsqueeze(0)?;
        let s = h.matmul(&w_hh.t()?)?;
        let part = |tensor: &Tensor, gate| tensor.narrow(1, gate * n, n);
        let z = |gate| part(&x, gate)? + part(&s, gate)?;
        h = match cell {
            Cell::Lstm => {
                c = ((sigmoid(&z(1)?)? * c)? + (sigmoid(&z(0)?)? * z(2)?.tanh()?)?)?;
                (sigmoid(&z(3)?)? * c.tanh()?)?
            }
            Cell::Gru => {
                let inner = (sigmoid(&z(0)?)? * part(&s, 2)?.broadcast_add(b_hn)?)?;
                let new = (part(&x, 2)? + inner)?.tanh()?;
                let z = sigmoid(&z(1)?)?;
                (((1.0 - &z)? * new)? + (z * h)?)?
            }
            Cell::Rnn => z(0)?.tanh()?,
            Cell::RnnRelu => z(0)?.relu()?,
        };
        all.push(h.clone());
    }
    if direction == Direction::Reverse {
        all.reverse();
    }
    Tensor::cat(&all, 0)
}

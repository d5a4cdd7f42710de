//! The layers in candle's own operations, with candle's gradients: for the devices that the fused loops do not run on.
//!
//! [`ops`](super::ops) calls these for tensors that are not on the CPU. Their results agree with the fused ones but for
//! rounding; a device may add in any order, so the bits are the device's own.

use super::ops::{Read, Recurrent};
use super::packed::{Direction, Packing};
use super::pooling::{Reduction, largest};
use crate::architecture::Cell;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::sigmoid;
use std::ops::Range;

/// y = x·Wᵀ + b, as [`ops::linear`](super::ops::linear).
///
/// # Errors
///
/// What candle says.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

/// A recurrent layer, as [`ops::recurrent`](super::ops::recurrent). The input's part of all sums is one product.
///
/// # Errors
///
/// What candle says.
pub fn recurrent(x: &Tensor, parameters: &Tensor, run: &Recurrent) -> Result<Tensor> {
    let Recurrent { layer, packing, tokens, read } = run;
    let (inputs, n, width) = (layer.input_size(), layer.hidden_size(), layer.width());
    let mut at = 0;
    let mut part = |count: usize| {
        at += count;
        parameters.narrow(0, at - count, count)
    };
    let w_ih = part(width * inputs)?.reshape((width, inputs))?;
    let w_hh = part(width * n)?.reshape((width, n))?.t()?;
    let sums = part(width)?;
    let hidden_bias = part(layer.parameters() - width * (inputs + n + 1))?;
    let mut gates = linear(x, &w_ih, &sums)?;
    if let Some(tokens) = tokens {
        gates = gates.index_select(&Tensor::new(&**tokens, x.device())?, 0)?;
    }
    let mut steps = Vec::with_capacity(packing.batch_sizes().len());
    split(&gates, packing, 0..packing.batch_sizes().len(), &mut steps)?;

    let zeros = |rows: usize| Tensor::zeros((rows, n), DType::F32, x.device());
    let (mut h, mut c) = (zeros(0)?, zeros(0)?);
    let mut states = Vec::with_capacity(steps.len());
    for visit in packing.visits(layer.direction()) {
        let (rows, continuing) = (visit.now.len(), visit.before.len());
        let step = packing.offsets().partition_point(|&offset| offset <= visit.now.start) - 1;
        // A state goes on in as many rows as have one; the other rows begin.
        let resized = |state: &Tensor| match continuing {
            0 => zeros(rows),
            _ => state.narrow(0, 0, continuing)?.pad_with_zeros(0, 0, rows - continuing),
        };
        let (before, memory) = (resized(&h)?, resized(&c)?);
        (h, c) = cell(layer.cell(), &steps[step], &before.matmul(&w_hh)?, &hidden_bias, &before, &memory)?;
        states.push(h.clone());
    }
    if layer.direction() == Direction::Reverse {
        states.reverse();
    }
    let states = if states.is_empty() { zeros(0)? } else { Tensor::cat(&states, 0)? };
    match read {
        Read::States => Ok(states),
        Read::Reduced(reductions) => {
            let parts = reductions.iter().map(|&reduction| reduce(&states, packing, reduction));
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)
        }
    }
}

/// The rows of each step. By halves: the gradient of a part is written to as many rows as there are in what it was cut
/// from, so that cutting every step from the whole would take time quadratic in their number.
fn split(rows: &Tensor, packing: &Packing, steps: Range<usize>, parts: &mut Vec<Tensor>) -> Result<()> {
    if steps.len() <= 1 {
        parts.extend(steps.map(|_| rows.clone()));
        return Ok(());
    }
    let offsets = packing.offsets();
    let middle = steps.start.midpoint(steps.end);
    let above = offsets[middle] - offsets[steps.start];
    split(&rows.narrow(0, 0, above)?, packing, steps.start..middle, parts)?;
    split(&rows.narrow(0, above, rows.dim(0)? - above)?, packing, middle..steps.end, parts)
}

/// One step of some cells: the next hidden state and, of LSTM, the next cell state.
///
/// x: the input's part of the sums, and s: the hidden state's, both `[rows, gates * hidden_size]`; b_hn: `[hidden_size]`
/// of GRU; h, c: `[rows, hidden_size]`. The formulas are those of PyTorch's `LSTM`, `GRU` and `RNN`.
///
/// # Errors
///
/// What candle says.
pub fn cell(cell: Cell, x: &Tensor, s: &Tensor, b_hn: &Tensor, h: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
    let n = h.dim(1)?;
    let part = |tensor: &Tensor, gate: usize| tensor.narrow(1, gate * n, n);
    let z = |gate| part(x, gate)? + part(s, gate)?;
    Ok(match cell {
        Cell::Lstm => {
            let c = ((sigmoid(&z(1)?)? * c)? + (sigmoid(&z(0)?)? * z(2)?.tanh()?)?)?;
            ((sigmoid(&z(3)?)? * c.tanh()?)?, c)
        }
        Cell::Gru => {
            let inner = (sigmoid(&z(0)?)? * part(s, 2)?.broadcast_add(b_hn)?)?;
            let new = (part(x, 2)? + inner)?.tanh()?;
            let z = sigmoid(&z(1)?)?;
            ((((1.0 - &z)? * new)? + (z * h)?)?, c.clone())
        }
        Cell::Rnn => (z(0)?.tanh()?, c.clone()),
        Cell::RnnRelu => (z(0)?.relu()?, c.clone()),
    })
}

/// One vector of each sequence, as [`ops::reduce`](super::ops::reduce).
///
/// # Errors
///
/// What candle says.
pub fn reduce(x: &Tensor, packing: &Packing, reduction: Reduction) -> Result<Tensor> {
    let (device, width, sequences) = (x.device(), x.dim(1)?, packing.order().len());
    let begun = packing.batch_sizes().first().copied().unwrap_or(0);
    if begun == 0 {
        return Tensor::zeros((sequences, width), DType::F32, device);
    }
    let index = |places: Vec<u32>| Tensor::from_slice(&places, places.len(), device);
    let reduced = match reduction {
        Reduction::Last(direction) => {
            x.index_select(&index(packing.last_rows(direction).map(|row| row as u32).collect())?, 0)?
        }
        Reduction::Mean => {
            let places = packing.batch_sizes().iter().flat_map(|&active| 0..active as u32).collect();
            let sums = Tensor::zeros((begun, width), DType::F32, device)?.index_add(&index(places)?, x, 0)?;
            let shares: Vec<f32> = packing.lengths()[..begun].iter().map(|&length| 1.0 / length as f32).collect();
            sums.broadcast_mul(&Tensor::from_vec(shares, (begun, 1), device)?)?
        }
        Reduction::Max => {
            let values = x.detach().flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
            let largest = largest(&values, packing, width).into_iter().map(|at| at as u32).collect();
            x.flatten_all()?.index_select(&index(largest)?, 0)?.reshape((begun, width))?
        }
    };
    reduced.pad_with_zeros(0, 0, sequences - begun)
}

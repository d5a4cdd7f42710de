//! The layers as compositions of candle's operations, which candle differentiates, for devices other than the CPU.
//!
//! [`ops`](crate::ops) calls these functions for tensors that are not on the CPU. The results agree with those of the
//! CPU's loops except for rounding: a device may add in any order.

use crate::architecture::Cell;
use crate::packed::{Direction, PackedLayout};
use crate::pooling::{Reduction, argmax_over_time};
use crate::recurrent::{LayerOutput, LayerRun};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::sigmoid;
use std::ops::Range;

/// Applies a linear layer, y = x·Wᵀ + b; see [`ops::linear`](crate::ops::linear).
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

/// Runs a recurrent layer; see [`ops::recurrent`](crate::ops::recurrent). The input projection of all tokens is one
/// product.
pub fn recurrent(x: &Tensor, parameters: &Tensor, run: &LayerRun) -> Result<Tensor> {
    let LayerRun { layer, layout, tokens, output } = run;
    let (inputs, n, width) = (layer.input_size(), layer.hidden_size(), layer.width());
    let mut at = 0;
    let mut part = |count: usize| {
        at += count;
        parameters.narrow(0, at - count, count)
    };
    let w_ih = part(width * inputs)?.reshape((width, inputs))?;
    let w_hh = part(width * n)?.reshape((width, n))?.t()?;
    let bias = part(width)?;
    // The rest of the parameters: empty for cells other than a GRU.
    let b_hn = part(layer.parameters() - width * (inputs + n + 1))?;
    let mut gates = linear(x, &w_ih, &bias)?;
    if let Some(tokens) = tokens {
        gates = gates.index_select(&Tensor::new(&**tokens, x.device())?, 0)?;
    }
    let mut steps = Vec::with_capacity(layout.batch_sizes().len());
    split(&gates, layout, 0..layout.batch_sizes().len(), &mut steps)?;

    let zeros = |rows: usize| Tensor::zeros((rows, n), DType::F32, x.device());
    let (mut h, mut c) = (zeros(0)?, zeros(0)?);
    let mut states = Vec::with_capacity(steps.len());
    for time_step in layout.time_steps(layer.direction()) {
        let (rows, continuing) = (time_step.rows.len(), time_step.previous.len());
        // The number of this step, counted from the first tokens of the sequences in either direction.
        let step = layout.offsets().partition_point(|&offset| offset <= time_step.rows.start) - 1;
        // The rows that continue the previous step keep its state; the others start from zero.
        let resized = |state: &Tensor| match continuing {
            0 => zeros(rows),
            _ => state.narrow(0, 0, continuing)?.pad_with_zeros(0, 0, rows - continuing),
        };
        let (h_before, c_before) = (resized(&h)?, resized(&c)?);
        (h, c) = cell(layer.cell(), &steps[step], &h_before.matmul(&w_hh)?, &b_hn, &h_before, &c_before)?;
        states.push(h.clone());
    }
    if layer.direction() == Direction::Reverse {
        states.reverse();
    }
    let states = if states.is_empty() { zeros(0)? } else { Tensor::cat(&states, 0)? };
    match output {
        LayerOutput::States => Ok(states),
        LayerOutput::Reduced(reductions) => {
            let parts = reductions.iter().map(|&reduction| reduce(&states, layout, reduction));
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)
        }
    }
}

/// Splits a packed tensor into the rows of each step, by repeated halving, and appends these tensors to `parts`. The
/// gradient of `narrow` has as many rows as its input, so narrowing the whole tensor for every step would take time
/// quadratic in the number of steps.
fn split(rows: &Tensor, layout: &PackedLayout, steps: Range<usize>, parts: &mut Vec<Tensor>) -> Result<()> {
    if steps.len() <= 1 {
        parts.extend(steps.map(|_| rows.clone()));
        return Ok(());
    }
    let offsets = layout.offsets();
    let middle = steps.start.midpoint(steps.end);
    let first_half = offsets[middle] - offsets[steps.start];
    split(&rows.narrow(0, 0, first_half)?, layout, steps.start..middle, parts)?;
    split(&rows.narrow(0, first_half, rows.dim(0)? - first_half)?, layout, middle..steps.end, parts)
}

/// Computes one time step: the next hidden state and, for an LSTM, the next cell state; other cells return `c`.
///
/// `x`: the input projection, and `s`: W_hh·h, both `[rows, gates * hidden_size]`; `b_hn`: `[hidden_size]`, used by a
/// GRU only; `h`, `c`: `[rows, hidden_size]`. The formulas are those of PyTorch's `LSTM`, `GRU` and `RNN`.
fn cell(cell: Cell, x: &Tensor, s: &Tensor, b_hn: &Tensor, h: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
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

/// Reduces the tokens of each sequence to one vector; see [`ops::reduce`](crate::ops::reduce).
pub fn reduce(x: &Tensor, layout: &PackedLayout, reduction: Reduction) -> Result<Tensor> {
    let (device, width, sequences) = (x.device(), x.dim(1)?, layout.order().len());
    let non_empty = layout.batch_sizes().first().copied().unwrap_or(0);
    if non_empty == 0 {
        return Tensor::zeros((sequences, width), DType::F32, device);
    }
    let index = |rows: Vec<u32>| Tensor::from_slice(&rows, rows.len(), device);
    let reduced = match reduction {
        Reduction::Last(direction) => {
            x.index_select(&index(layout.last_rows(direction).map(|row| row as u32).collect())?, 0)?
        }
        Reduction::Mean => {
            let rows = layout.batch_sizes().iter().flat_map(|&active| 0..active as u32).collect();
            let sums = Tensor::zeros((non_empty, width), DType::F32, device)?.index_add(&index(rows)?, x, 0)?;
            let shares: Vec<f32> = layout.lengths()[..non_empty].iter().map(|&length| 1.0 / length as f32).collect();
            sums.broadcast_mul(&Tensor::from_vec(shares, (non_empty, 1), device)?)?
        }
        Reduction::Max => {
            // The index of each maximum is found on the host; the gradient then goes to the selected values.
            let values = x.detach().flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
            let largest = argmax_over_time(&values, layout, width).into_iter().map(|at| at as u32).collect();
            x.flatten_all()?.index_select(&index(largest)?, 0)?.reshape((non_empty, width))?
        }
    };
    // Empty sequences are the last ones.
    reduced.pad_with_zeros(0, 0, sequences - non_empty)
}

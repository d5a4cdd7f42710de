//! The layers as compositions of candle's operations, which candle differentiates, for devices other than the CPU, for
//! example Metal. (Training on a CUDA device uses the kernels of [`gpu`](crate::gpu) instead.)
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
    let (input_size, n, width) = (layer.input_size(), layer.hidden_size(), layer.width());
    let mut start = 0;
    let mut next_parameters = |count: usize| {
        let values = parameters.narrow(0, start, count);
        start += count;
        values
    };
    let w_ih = next_parameters(width * input_size)?.reshape((width, input_size))?;
    let w_hh = next_parameters(width * n)?.reshape((width, n))?.t()?;
    let bias = next_parameters(width)?;
    // The remaining parameters: none for cells other than a GRU.
    let b_hn = next_parameters(layer.parameters() - width * (input_size + n + 1))?;
    let mut gates = linear(x, &w_ih, &bias)?;
    if let Some(tokens) = tokens {
        gates = gates.index_select(&Tensor::new(&**tokens, x.device())?, 0)?;
    }
    // The input projection of each step.
    let step_count = layout.batch_sizes().len();
    let mut step_inputs = Vec::with_capacity(step_count);
    split_into_steps(&gates, layout, 0..step_count, &mut step_inputs)?;

    let zeros = |rows: usize| Tensor::zeros((rows, n), DType::F32, x.device());
    let (mut h, mut c) = (zeros(0)?, zeros(0)?);
    let mut states = Vec::with_capacity(step_count);
    for time_step in layout.time_steps(layer.direction()) {
        let (rows, continuing) = (time_step.rows.len(), time_step.previous.len());
        // The number of this step, counted from the first tokens of the sequences in either direction.
        let step_number = layout.offsets().partition_point(|&offset| offset <= time_step.rows.start) - 1;
        // The rows that continue the previous step keep its state; the others start from zero.
        let resized = |state: &Tensor| match continuing {
            0 => zeros(rows),
            _ => state.narrow(0, 0, continuing)?.pad_with_zeros(0, 0, rows - continuing),
        };
        let (h_before, c_before) = (resized(&h)?, resized(&c)?);
        let sums = h_before.matmul(&w_hh)?;
        (h, c) = next_states(layer.cell(), &step_inputs[step_number], &sums, &b_hn, &h_before, &c_before)?;
        states.push(h.clone());
    }
    if layer.direction() == Direction::Reverse {
        states.reverse();
    }
    let states = if states.is_empty() { zeros(0)? } else { Tensor::cat(&states, 0)? };
    match output {
        LayerOutput::States => Ok(states),
        LayerOutput::Reduced(reductions) => {
            let reduced = reductions.iter().map(|&reduction| reduce(&states, layout, reduction));
            Tensor::cat(&reduced.collect::<Result<Vec<_>>>()?, 1)
        }
    }
}

/// Splits the packed rows of the steps `steps` into the rows of each step, by repeated halving, and appends these
/// tensors to `of_steps`. The gradient of `narrow` has as many rows as its input, so narrowing the whole tensor for
/// every step would take time quadratic in the number of steps.
fn split_into_steps(
    rows: &Tensor,
    layout: &PackedLayout,
    steps: Range<usize>,
    of_steps: &mut Vec<Tensor>,
) -> Result<()> {
    match steps.len() {
        0 => return Ok(()),
        1 => {
            of_steps.push(rows.clone());
            return Ok(());
        }
        _ => {}
    }
    let offsets = layout.offsets();
    let middle = steps.start.midpoint(steps.end);
    let rows_before_middle = offsets[middle] - offsets[steps.start];
    let rows_after_middle = rows.dim(0)? - rows_before_middle;
    split_into_steps(&rows.narrow(0, 0, rows_before_middle)?, layout, steps.start..middle, of_steps)?;
    split_into_steps(&rows.narrow(0, rows_before_middle, rows_after_middle)?, layout, middle..steps.end, of_steps)
}

/// Computes one time step: the next hidden state and, for an LSTM, the next cell state; other cells return `c`.
///
/// `x`: the input projection, and `s`: W_hh·h, both `[rows, gates * hidden_size]`; `b_hn`: `[hidden_size]`, used by a
/// GRU only; `h`, `c`: `[rows, hidden_size]`. The formulas are those of PyTorch's `LSTM`, `GRU` and `RNN`.
fn next_states(cell: Cell, x: &Tensor, s: &Tensor, b_hn: &Tensor, h: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
    let hidden_size = h.dim(1)?;
    let of_gate = |tensor: &Tensor, gate: usize| tensor.narrow(1, gate * hidden_size, hidden_size);
    let pre_activation = |gate| of_gate(x, gate)? + of_gate(s, gate)?;
    Ok(match cell {
        Cell::Lstm => {
            let (i, f) = (sigmoid(&pre_activation(0)?)?, sigmoid(&pre_activation(1)?)?);
            let (g, o) = (pre_activation(2)?.tanh()?, sigmoid(&pre_activation(3)?)?);
            let c = ((f * c)? + (i * g)?)?;
            ((o * c.tanh()?)?, c)
        }
        Cell::Gru => {
            let (r, z) = (sigmoid(&pre_activation(0)?)?, sigmoid(&pre_activation(1)?)?);
            let recurrent_n = of_gate(s, 2)?.broadcast_add(b_hn)?;
            let n = (of_gate(x, 2)? + (r * recurrent_n)?)?.tanh()?;
            ((((1.0 - &z)? * n)? + (z * h)?)?, c.clone())
        }
        Cell::Rnn => (pre_activation(0)?.tanh()?, c.clone()),
        Cell::RnnRelu => (pre_activation(0)?.relu()?, c.clone()),
    })
}

/// Reduces the tokens of each sequence to one vector; see [`ops::reduce`](crate::ops::reduce).
pub fn reduce(x: &Tensor, layout: &PackedLayout, reduction: Reduction) -> Result<Tensor> {
    let (device, width, sequences) = (x.device(), x.dim(1)?, layout.order().len());
    let non_empty = layout.batch_sizes().first().copied().unwrap_or(0);
    if non_empty == 0 {
        return Tensor::zeros((sequences, width), DType::F32, device);
    }
    let index_tensor = |indices: Vec<u32>| Tensor::from_slice(&indices, indices.len(), device);
    let reduced = match reduction {
        Reduction::Last(direction) => {
            let last_rows = layout.last_rows(direction).map(|row| row as u32).collect();
            x.index_select(&index_tensor(last_rows)?, 0)?
        }
        Reduction::Mean => {
            // The sequence of each row.
            let sequence_of_row = layout.batch_sizes().iter().flat_map(|&active| 0..active as u32).collect();
            let zeros = Tensor::zeros((non_empty, width), DType::F32, device)?;
            let sums = zeros.index_add(&index_tensor(sequence_of_row)?, x, 0)?;
            let shares: Vec<f32> = layout.lengths()[..non_empty].iter().map(|&length| 1.0 / length as f32).collect();
            sums.broadcast_mul(&Tensor::from_vec(shares, (non_empty, 1), device)?)?
        }
        Reduction::Max => {
            // The index of each maximum is found on the host; the gradient then goes to the selected values.
            let values = x.detach().flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
            let largest = argmax_over_time(&values, layout, width).into_iter().map(|index| index as u32).collect();
            x.flatten_all()?.index_select(&index_tensor(largest)?, 0)?.reshape((non_empty, width))?
        }
    };
    // Empty sequences are the last ones.
    reduced.pad_with_zeros(0, 0, sequences - non_empty)
}

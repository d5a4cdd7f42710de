//! A recurrent layer on a device, forward and backward.
//!
//! The input projection is one matrix product before the time steps; the gradients of the weights are a few products
//! after them. All time steps of a layer of up to 128 units are one launch (`walk.cuh`), if a block has enough shared
//! memory. Other layers take a matrix product and a launch for each time step (`step.cuh`), which
//! are recorded in one CUDA graph.

use super::attached::attach2;
use super::batch::DeviceBatch;
use super::execute::launch_together;
use super::launch::{Argument, Launch};
use super::machine::Machine;
use super::reduce::reduce;
use super::rows;
use super::walk::{self, Walk};
use crate::architecture::Cell;
use crate::recurrent::{LayerOutput, LayerShape};
use candle_core::{DType, Result, Tensor};
use std::sync::Arc;

/// Runs a recurrent layer and returns its [`LayerOutput`], as [`ops::recurrent`](crate::ops::recurrent) does on the
/// CPU.
///
/// `x`: `[rows, input_size]`, or one row for each distinct token if `tokens` is true; [`DeviceBatch::tokens`] then has
/// the row of each token. `parameters`: W_ih, W_hh and [`Biases`](crate::recurrent::Biases), concatenated.
pub fn recurrent(
    x: &Tensor,
    parameters: &Tensor,
    shape: LayerShape,
    tokens: bool,
    batch: &Arc<DeviceBatch>,
    output: &LayerOutput,
) -> Result<Tensor> {
    let (rows, n) = (batch.layout.rows(), shape.hidden_size);
    if rows == 0 {
        let shape = match output {
            LayerOutput::States => (0, n),
            LayerOutput::Reduced(reductions) => (batch.layout.lengths().len(), reductions.len() * n),
        };
        return Tensor::zeros(shape, DType::F32, x.device());
    }
    let run = Run { shape, tokens, batch: batch.clone(), machine: Machine::of(x.device())? };
    let parts = run.parts(&x.detach().contiguous()?, &parameters.detach().contiguous()?)?;
    let activations = run.forward(&parts)?;
    let hidden = run.hidden(&activations)?;
    let states = attach2(x, parameters, &hidden, move |d_hidden| run.backward(&parts, &activations, d_hidden))?;
    match output {
        LayerOutput::States => Ok(states),
        LayerOutput::Reduced(reductions) => {
            let parts = reductions.iter().map(|&reduction| reduce(&states, batch, reduction));
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
        }
    }
}

/// A layer and the batch that it reads.
struct Run {
    shape: LayerShape,
    tokens: bool,
    batch: Arc<DeviceBatch>,
    machine: Machine,
}

/// The input of a layer and the parts of its parameters.
struct Parts {
    x: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor,
    /// `None` unless the cell is a GRU.
    b_hn: Option<Tensor>,
}

impl Run {
    /// Splits the parameters.
    fn parts(&self, x: &Tensor, parameters: &Tensor) -> Result<Parts> {
        let LayerShape { input_size, hidden_size: n, .. } = self.shape;
        let width = self.shape.width();
        let mut at = 0;
        let mut part = |count: usize| {
            at += count;
            parameters.narrow(0, at - count, count)
        };
        Ok(Parts {
            x: x.clone(),
            w_ih: part(width * input_size)?.reshape((width, input_size))?,
            w_hh: part(width * n)?.reshape((width, n))?,
            bias: part(width)?,
            b_hn: if self.shape.cell == Cell::Gru { Some(part(n)?) } else { None },
        })
    }

    fn rows(&self) -> usize {
        self.batch.layout.rows()
    }

    /// Number of values in the buffers `hidden`, `gates` and `kept` of `cells.cuh`.
    fn sizes(&self) -> [usize; 3] {
        let states = self.rows() * self.shape.hidden_size;
        match self.shape.cell {
            Cell::Rnn | Cell::RnnRelu => [states, 0, 0],
            Cell::Lstm | Cell::Gru => [states, self.rows() * self.shape.width(), states],
        }
    }

    /// Returns a pointer to each part of a tensor that consists of parts with these `sizes`. An empty part has the
    /// pointer of the first part: a kernel ignores it, or writes the values of both parts to the first one.
    fn pointers<const N: usize>(
        sizes: [usize; N],
        pointer: impl Fn(usize) -> Argument<'static>,
    ) -> [Argument<'static>; N] {
        let mut start = 0;
        sizes.map(|size| {
            start += size;
            pointer(if size == 0 { 0 } else { start - size })
        })
    }

    /// Computes the hidden states and the values that the backward pass needs. Returns the buffers `hidden`, `gates`
    /// and `kept` of `cells.cuh` in one tensor.
    fn forward(&self, parts: &Parts) -> Result<Tensor> {
        let table = parts.x.matmul(&parts.w_ih.t()?)?.broadcast_add(&parts.bias)?;
        let activations = Tensor::zeros(self.sizes().iter().sum::<usize>(), DType::F32, table.device())?;
        let written = Self::pointers(self.sizes(), Argument::Write);
        match self.walk() {
            Some(walk) => {
                let inputs = [
                    Argument::Read(&parts.w_hh, 0),
                    Argument::read_or_null(parts.b_hn.as_ref()),
                    Argument::Read(&table, 0),
                    Argument::read_or_null(self.token_rows()),
                ];
                walk.launch("forward", self.shape, &self.batch, &inputs, &written).write(&activations)?;
            }
            None => launch_together(table.device(), || {
                let w_hh = parts.w_hh.t()?;
                for step in self.batch.layout.time_steps(self.shape.direction) {
                    let previous = step.previous.clone();
                    let sums = match previous.len() {
                        0 => None,
                        rows => Some(self.hidden(&activations)?.narrow(0, previous.start, rows)?.matmul(&w_hh)?),
                    };
                    let mut arguments = vec![
                        Argument::read_or_null(sums.as_ref()),
                        Argument::read_or_null(parts.b_hn.as_ref()),
                        Argument::Read(&table, 0),
                        Argument::read_or_null(self.token_rows()),
                    ];
                    arguments
                        .extend([step.rows.start, previous.start, step.rows.len(), previous.len()].map(Argument::int));
                    self.step("forward", step.rows.len(), arguments, &written, &activations)?;
                }
                Ok(())
            })?,
        }
        Ok(activations)
    }

    /// Returns the gradients of the input and of the parameters, each with the shape of its tensor.
    fn backward(&self, parts: &Parts, activations: &Tensor, d_hidden: &Tensor) -> Result<(Tensor, Tensor)> {
        let LayerShape { cell, hidden_size: n, direction, .. } = self.shape;
        let (rows, width, device) = (self.rows(), self.shape.width(), d_hidden.device());
        let saved = Self::activation_pointers(self.sizes(), activations);
        // Three parts: the gradients of the input projection; those of the recurrent sums, which differ for a GRU only;
        // and, without a walk, the gradients that a step passes to the previous step without W_hh.
        let separate_sums = if cell == Cell::Gru { rows * width } else { 0 };
        let carried = if self.walk().is_some() { 0 } else { self.batch.layout.lengths().len() * n };
        let sizes = [rows * width, separate_sums, carried];
        let gradients = Tensor::zeros(sizes.iter().sum::<usize>(), DType::F32, device)?;
        let [d_gates, d_sums, carried] = Self::pointers(sizes, Argument::Write);
        let part = |start: usize| gradients.narrow(0, start, rows * width)?.reshape((rows, width));
        let sums_start = if separate_sums > 0 { rows * width } else { 0 };
        match self.walk() {
            Some(walk) => {
                let [hidden, gates, kept] = saved;
                let inputs = [Argument::Read(&parts.w_hh, 0), hidden, gates, kept, Argument::Read(d_hidden, 0)];
                walk.launch("backward", self.shape, &self.batch, &inputs, &[d_gates, d_sums]).write(&gradients)?;
            }
            None => launch_together(device, || {
                // The gradient that the step above passes to the hidden states of this step through W_hh.
                let mut through: Option<Tensor> = None;
                for step in self.batch.layout.time_steps(direction).rev() {
                    let [hidden, gates, kept] = saved;
                    let with_through = through.as_ref().map_or(Ok(0), |through| through.dim(0))?;
                    let mut arguments = vec![
                        Argument::read_or_null(through.as_ref()),
                        hidden,
                        gates,
                        kept,
                        Argument::Read(d_hidden, 0),
                    ];
                    let previous = step.previous.clone();
                    let numbers = [step.rows.start, previous.start, step.rows.len(), previous.len(), with_through];
                    arguments.extend(numbers.map(Argument::int));
                    self.step("backward", step.rows.len(), arguments, &[carried, d_gates, d_sums], &gradients)?;
                    through = match previous.len() {
                        0 => None,
                        count => Some(part(sums_start)?.narrow(0, step.rows.start, count)?.matmul(&parts.w_hh)?),
                    };
                }
                Ok(())
            })?,
        }
        let (d_gates, d_sums) = (part(0)?, part(sums_start)?);
        let d_table = match self.batch.tokens.as_ref().filter(|_| self.tokens) {
            Some(tokens) => tokens.add_gradients(&d_gates)?,
            None => d_gates,
        };
        let ones = |rows: usize| Tensor::ones((1, rows), DType::F32, device);
        let previous = rows::select(&self.hidden(activations)?, &self.batch.previous_rows(direction)?, rows)?;
        let mut d_parameters = vec![
            d_table.t()?.matmul(&parts.x)?.flatten_all()?,
            d_sums.t()?.matmul(&previous)?.flatten_all()?,
            ones(d_table.dim(0)?)?.matmul(&d_table)?.flatten_all()?,
        ];
        if cell == Cell::Gru {
            d_parameters.push(ones(rows)?.matmul(&d_sums)?.narrow(1, 2 * n, n)?.flatten_all()?);
        }
        Ok((d_table.matmul(&parts.w_ih)?, Tensor::cat(&d_parameters, 0)?))
    }

    /// The kernel that runs all time steps in one launch; `None` if the layer is too large for it.
    fn walk(&self) -> Option<Walk> {
        walk::choose(self.shape, self.batch.layout.lengths().len(), self.machine)
    }

    /// The row of the input for each token; `None` if the input has one row for each token.
    fn token_rows(&self) -> Option<&Tensor> {
        self.batch.tokens.as_ref().filter(|_| self.tokens).map(|rows| rows.index())
    }

    /// Launches one time step of `rows` rows. `pass`: `forward` or `backward`; `arguments`: those before the sizes;
    /// `written`: pointers into `to`.
    fn step<'a>(
        &self,
        pass: &str,
        rows: usize,
        mut arguments: Vec<Argument<'a>>,
        written: &[Argument<'a>],
        to: &Tensor,
    ) -> Result<()> {
        let LayerShape { cell, hidden_size: n, .. } = self.shape;
        arguments.extend([Argument::int(n), Argument::int((cell == Cell::RnnRelu).into())]);
        arguments.extend(written);
        let kernel = format!("{}_step_{pass}", walk::cell_name(cell));
        Launch::one_thread_each(&kernel, rows * n, arguments).write(to)
    }

    /// Returns pointers for reading the parts of the activations, whose sizes are `sizes`.
    fn activation_pointers(sizes: [usize; 3], activations: &Tensor) -> [Argument<'_>; 3] {
        let starts = Self::pointers(sizes, Argument::Write);
        starts.map(|start| match start {
            Argument::Write(start) => Argument::Read(activations, start),
            other => other,
        })
    }

    /// Returns the hidden states, a part of the activations: `[rows, hidden_size]`.
    fn hidden(&self, activations: &Tensor) -> Result<Tensor> {
        let n = self.shape.hidden_size;
        activations.narrow(0, 0, self.rows() * n)?.reshape((self.rows(), n))
    }
}

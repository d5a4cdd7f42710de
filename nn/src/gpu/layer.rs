//! A recurrent layer on a device, forward and backward.
//!
//! The input projection is one matrix product before the time steps; the gradients of the weights are a few products
//! after them. All time steps of a layer of up to 128 units are one launch (`walk.cuh`), if a block has enough shared
//! memory. Other layers take a matrix product and a launch for each time step (`step.cuh`), which are recorded in one
//! CUDA graph.

use super::attached::attach2;
use super::batch::DeviceBatch;
use super::execute::launch_together;
use super::launch::{Argument, Launch};
use super::machine::Machine;
use super::reduce::reduce;
use super::rows::{Rows, select};
use super::walk::{self, Walk};
use crate::architecture::Cell;
use crate::recurrent::{LayerOutput, LayerShape};
use candle_core::{DType, Result, Tensor};
use std::sync::Arc;

/// Runs a recurrent layer and returns its [`LayerOutput`], as [`ops::recurrent`](crate::ops::recurrent) does on the
/// CPU.
///
/// `x`: `[rows, input_size]`, one row for each token; for the first layer of a batch with [`DeviceBatch::tokens`],
/// `[distinct rows, input_size]`. `parameters`: W_ih, W_hh and [`Biases`](crate::recurrent::Biases), concatenated.
/// `is_first`: true for the first layer.
pub fn recurrent(
    x: &Tensor,
    parameters: &Tensor,
    shape: LayerShape,
    is_first: bool,
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
    let run = Run { shape, is_first, batch: batch.clone(), machine: Machine::of(x.device())? };
    let inputs = run.inputs(&x.detach().contiguous()?, &parameters.detach().contiguous()?)?;
    let activations = run.forward(&inputs)?;
    let hidden = run.hidden(&activations)?;
    // The same values as `hidden`, but candle treats them as a function of `x` and `parameters`.
    let states = attach2(x, parameters, &hidden, move |d_hidden| run.backward(&inputs, &activations, d_hidden))?;
    match output {
        LayerOutput::States => Ok(states),
        LayerOutput::Reduced(reductions) => {
            let reduced = reductions.iter().map(|&reduction| reduce(&states, batch, reduction));
            Tensor::cat(&reduced.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
        }
    }
}

/// A layer and the batch that it reads.
struct Run {
    shape: LayerShape,
    is_first: bool,
    batch: Arc<DeviceBatch>,
    machine: Machine,
}

/// The input of a layer and its parameters, all contiguous.
struct Inputs {
    /// `[rows, input_size]`, or `[distinct rows, input_size]`: see [`recurrent`].
    x: Tensor,
    /// `[gates * hidden_size, input_size]`
    w_ih: Tensor,
    /// `[gates * hidden_size, hidden_size]`
    w_hh: Tensor,
    /// The bias that is added to the input projection, `[gates * hidden_size]`.
    bias: Tensor,
    /// The bias b_hn of a GRU, `[hidden_size]`; `None` for other cells.
    b_hn: Option<Tensor>,
}

impl Run {
    /// Splits `parameters` into the matrices and biases of the layer.
    fn inputs(&self, x: &Tensor, parameters: &Tensor) -> Result<Inputs> {
        let LayerShape { input_size, hidden_size: n, .. } = self.shape;
        let width = self.shape.width();
        let mut start = 0;
        let mut next_parameters = |count: usize| {
            let values = parameters.narrow(0, start, count);
            start += count;
            values
        };
        Ok(Inputs {
            x: x.clone(),
            w_ih: next_parameters(width * input_size)?.reshape((width, input_size))?,
            w_hh: next_parameters(width * n)?.reshape((width, n))?,
            bias: next_parameters(width)?,
            b_hn: if self.shape.cell == Cell::Gru { Some(next_parameters(n)?) } else { None },
        })
    }

    /// Number of rows of the packed batch.
    fn rows(&self) -> usize {
        self.batch.layout.rows()
    }

    /// Number of values in the buffers of `cells.cuh`: `hidden`, the hidden states; `gates`, the activations of the
    /// gates; and `kept`, the cell states of an LSTM or the recurrent sums of a GRU's gate n.
    fn activation_sizes(&self) -> [usize; 3] {
        let states = self.rows() * self.shape.hidden_size;
        match self.shape.cell {
            Cell::Rnn | Cell::RnnRelu => [states, 0, 0],
            Cell::Lstm | Cell::Gru => [states, self.rows() * self.shape.width(), states],
        }
    }

    /// Returns the start of each part of a tensor that consists of parts with these `sizes`.
    ///
    /// An empty part gets the start of the first part, 0. A kernel does not use such a part (`gates` and `kept` of
    /// plain cells), or finds that it is the same as the first part and writes the equal values of both once (`d_sums`
    /// of cells other than the GRU).
    fn starts<const N: usize>(sizes: [usize; N]) -> [usize; N] {
        let mut end = 0;
        sizes.map(|size| {
            end += size;
            if size == 0 { 0 } else { end - size }
        })
    }

    /// Computes the hidden states and the values that the backward pass needs. Returns the buffers `hidden`, `gates`
    /// and `kept` of `cells.cuh` in one tensor.
    fn forward(&self, inputs: &Inputs) -> Result<Tensor> {
        // The input projection, one row for each row of `x`: the `table` of the kernels.
        let projection = inputs.x.matmul(&inputs.w_ih.t()?)?.broadcast_add(&inputs.bias)?;
        let sizes = self.activation_sizes();
        let activations = Tensor::zeros(sizes.iter().sum::<usize>(), DType::F32, projection.device())?;
        let written = Self::starts(sizes).map(Argument::Write);
        match self.walk() {
            Some(walk) => {
                let read = [
                    Argument::Read(&inputs.w_hh, 0),
                    Argument::read_or_null(inputs.b_hn.as_ref()),
                    Argument::Read(&projection, 0),
                    Argument::read_or_null(self.token_rows()),
                ];
                walk.launch("forward", self.shape, &self.batch, &read, &written).write(&activations)?;
            }
            None => launch_together(projection.device(), || {
                let w_hh = inputs.w_hh.t()?;
                for step in self.batch.layout.time_steps(self.shape.direction) {
                    let previous = step.previous.clone();
                    // The recurrent sums W_hh·h of the rows that continue a sequence.
                    let sums = match previous.len() {
                        0 => None,
                        rows => Some(self.hidden(&activations)?.narrow(0, previous.start, rows)?.matmul(&w_hh)?),
                    };
                    let mut arguments = vec![
                        Argument::read_or_null(sums.as_ref()),
                        Argument::read_or_null(inputs.b_hn.as_ref()),
                        Argument::Read(&projection, 0),
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
    fn backward(&self, inputs: &Inputs, activations: &Tensor, d_hidden: &Tensor) -> Result<(Tensor, Tensor)> {
        let LayerShape { cell, hidden_size: n, direction, .. } = self.shape;
        let (rows, width, device) = (self.rows(), self.shape.width(), d_hidden.device());
        // The buffers `hidden`, `gates` and `kept`.
        let saved = Self::starts(self.activation_sizes()).map(|start| Argument::Read(activations, start));
        // The tensor `gradients` has three parts: the gradients of the input projection; those of the recurrent sums,
        // which differ for a GRU only; and, if each step is a launch, the gradients that a step passes to the previous
        // one by the cell state of an LSTM or by z·h of a GRU, not through W_hh.
        let sums_size = if cell == Cell::Gru { rows * width } else { 0 };
        let carried_size = if self.walk().is_some() { 0 } else { self.batch.layout.lengths().len() * n };
        let sizes = [rows * width, sums_size, carried_size];
        let gradients = Tensor::zeros(sizes.iter().sum::<usize>(), DType::F32, device)?;
        let starts = Self::starts(sizes);
        let [d_gates, d_sums, carried] = starts.map(Argument::Write);
        let [gates_start, sums_start, _] = starts;
        let matrix_at = |start: usize| gradients.narrow(0, start, rows * width)?.reshape((rows, width));
        match self.walk() {
            Some(walk) => {
                let [hidden, gates, kept] = saved;
                let read = [Argument::Read(&inputs.w_hh, 0), hidden, gates, kept, Argument::Read(d_hidden, 0)];
                walk.launch("backward", self.shape, &self.batch, &read, &[d_gates, d_sums]).write(&gradients)?;
            }
            None => launch_together(device, || {
                // The gradient that the next time step, which was computed just before, passes to the hidden states of
                // this step through W_hh.
                let mut d_through_w_hh: Option<Tensor> = None;
                for step in self.batch.layout.time_steps(direction).rev() {
                    let [hidden, gates, kept] = saved;
                    let rows_through_w_hh = d_through_w_hh.as_ref().map_or(Ok(0), |gradient| gradient.dim(0))?;
                    let mut arguments = vec![
                        Argument::read_or_null(d_through_w_hh.as_ref()),
                        hidden,
                        gates,
                        kept,
                        Argument::Read(d_hidden, 0),
                    ];
                    let previous = step.previous.clone();
                    let numbers = [step.rows.start, previous.start, step.rows.len(), previous.len(), rows_through_w_hh];
                    arguments.extend(numbers.map(Argument::int));
                    self.step("backward", step.rows.len(), arguments, &[carried, d_gates, d_sums], &gradients)?;
                    d_through_w_hh = match previous.len() {
                        0 => None,
                        count => Some(matrix_at(sums_start)?.narrow(0, step.rows.start, count)?.matmul(&inputs.w_hh)?),
                    };
                }
                Ok(())
            })?,
        }
        let (d_gates, d_sums) = (matrix_at(gates_start)?, matrix_at(sums_start)?);
        let d_projection = match self.tokens() {
            Some(tokens) => tokens.add_gradients(&d_gates)?,
            None => d_gates,
        };
        // A product with a row of ones adds up the columns of a matrix.
        let ones = |rows: usize| Tensor::ones((1, rows), DType::F32, device);
        let previous_hidden = select(&self.hidden(activations)?, &self.batch.previous_rows(direction)?, rows)?;
        let mut d_parameters = vec![
            d_projection.t()?.matmul(&inputs.x)?.flatten_all()?,
            d_sums.t()?.matmul(&previous_hidden)?.flatten_all()?,
            ones(d_projection.dim(0)?)?.matmul(&d_projection)?.flatten_all()?,
        ];
        if cell == Cell::Gru {
            // The gradient of b_hn, from the columns of gate n.
            d_parameters.push(ones(rows)?.matmul(&d_sums)?.narrow(1, 2 * n, n)?.flatten_all()?);
        }
        Ok((d_projection.matmul(&inputs.w_ih)?, Tensor::cat(&d_parameters, 0)?))
    }

    /// The kernel that runs all time steps in one launch; `None` if the layer is too large for it.
    fn walk(&self) -> Option<Walk> {
        walk::choose(self.shape, self.batch.layout.lengths().len(), self.machine)
    }

    /// The index of each token's row in the layer's input; `None` if the rows are those of the tokens, in order.
    fn tokens(&self) -> Option<&Arc<Rows>> {
        self.batch.tokens.as_ref().filter(|_| self.is_first)
    }

    /// The argument `tokens` of the forward kernels.
    fn token_rows(&self) -> Option<&Tensor> {
        self.tokens().map(|rows| rows.index())
    }

    /// Launches one time step of `rows` rows. `pass`: `forward` or `backward`; `arguments`: the kernel's arguments
    /// before `n`; `written`: those after `relu`, which are pointers into `to`.
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

    /// Returns the hidden states, a part of the activations: `[rows, hidden_size]`.
    fn hidden(&self, activations: &Tensor) -> Result<Tensor> {
        let n = self.shape.hidden_size;
        activations.narrow(0, 0, self.rows() * n)?.reshape((self.rows(), n))
    }
}

//! The layers as operations that candle can differentiate.
//!
//! Batches are packed by time step, see [`packed`](crate::packed): the rows of a batch are its tokens, without padding.
//!
//! On the CPU the operations call the loops of [`mod@linear`] and [`recurrent`](mod@crate::recurrent), because the
//! order of the sums in candle's own matrix product depends on the size of the batch, and the backward pass of candle's
//! LSTM takes time quadratic in the length of a text. On other devices the operations call [`candle_ops`].

use crate::buffer::Buffer;
use crate::candle_ops;
use crate::cells::CellBatch;
use crate::linear::{self, Linear};
use crate::packed::PackedLayout;
use crate::pooling::Reduction;
use crate::recurrent::{Forward, Gradients, LayerOutput, LayerRun};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape, Storage, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// Applies a linear layer, y = x·Wᵀ + b. `x`: `[rows, in_features]`; `weight`: `[out_features, in_features]`; `bias`:
/// `[out_features]`.
///
/// # Errors
/// Fails if the tensors are not contiguous F32.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.apply_op3(weight, bias, LinearOp) } else { candle_ops::linear(x, weight, bias) }
}

/// Runs a recurrent layer and returns its [`LayerOutput`].
///
/// `x`: `[rows, input_size]`, one row for each token, or with `run.tokens` one row for each distinct token.
/// `parameters`: the layer's W_ih, W_hh and [`Biases`](crate::recurrent::Biases), flattened and concatenated; they must
/// equal the weights in `run.layer`. On the CPU the result can be differentiated once.
///
/// # Errors
/// Fails if the tensors are not contiguous F32 or have the wrong shapes.
pub fn recurrent(x: &Tensor, parameters: &Tensor, run: LayerRun) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.apply_op2(parameters, RecurrentOp { run, activations: Mutex::new(None) })
    } else {
        candle_ops::recurrent(x, parameters, &run)
    }
}

/// Reduces the rows of each sequence's tokens to one row: x `[rows, width]` → `[sequences, width]`, in the order of
/// [`PackedLayout::order`].
///
/// # Errors
/// Fails if the tensor is not contiguous F32 or its number of rows differs from that of `layout`.
pub fn reduce(x: &Tensor, layout: Arc<PackedLayout>, reduction: Reduction) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.apply_op1(ReduceOp { layout, reduction })
    } else {
        candle_ops::reduce(x, &layout, reduction)
    }
}

/// The operation [`linear`] on the CPU.
struct LinearOp;

impl CustomOp3 for LinearOp {
    fn name(&self) -> &'static str {
        "tern-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, _) = x_layout.shape().dims2()?;
        let bias = slice(bias, bias_layout)?;
        let layer = Linear::new(slice(weight, weight_layout)?, bias);
        let y = layer.forward(slice(x, x_layout)?, rows);
        Ok((CpuStorage::F32(y), (rows, bias.len()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _y: &Tensor,
        d_y: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, out_features) = d_y.dims2()?;
        let gradients = with_slices([x, weight, d_y], |[x, weight, d_y]| {
            // The rows of d_y have no gaps, so their distance is their width.
            let stride = out_features;
            Ok(linear::backward(d_y, stride, x, weight, rows, out_features))
        })?;
        Ok((
            Some(Tensor::from_vec(gradients.x, x.shape(), x.device())?),
            Some(Tensor::from_vec(gradients.weight, weight.shape(), weight.device())?),
            Some(Tensor::from_vec(gradients.bias, out_features, x.device())?),
        ))
    }
}

/// The operation [`recurrent`] on the CPU.
struct RecurrentOp {
    run: LayerRun,
    /// The cells and the hidden states, stored by the forward pass and taken by the backward pass. In a mutex, because
    /// candle shares the operation.
    activations: Mutex<Option<(Box<dyn CellBatch>, Buffer)>>,
}

impl CustomOp2 for RecurrentOp {
    fn name(&self) -> &'static str {
        "tern-recurrent"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let LayerRun { layer, layout, tokens, output } = &self.run;
        let (rows, columns) = x_layout.shape().dims2()?;
        // With `tokens`, x has a row for each distinct token, whose number the layout does not determine.
        let expected_rows = if tokens.is_some() { rows } else { layout.rows() };
        let input_size = layer.input_size();
        if (rows, columns) != (expected_rows, input_size) {
            candle_core::bail!("recurrent: x is [{rows}, {columns}], expected [{expected_rows}, {input_size}]");
        }
        let parameter_count = slice(parameters, parameters_layout)?.len();
        if parameter_count != layer.parameters() {
            candle_core::bail!("recurrent: {parameter_count} parameters, expected {}", layer.parameters());
        }
        if let Some(tokens) = tokens
            && (tokens.len() != layout.rows() || tokens.iter().any(|&token| token as usize >= rows))
        {
            candle_core::bail!(
                "recurrent: {} tokens, expected {} tokens, each the index of a row of x below {rows}",
                tokens.len(),
                layout.rows()
            );
        }
        let (hidden, cells) = layer.forward(slice(x, x_layout)?, tokens.as_deref(), layout);
        let n = layer.hidden_size();
        let result = match output {
            LayerOutput::States => (CpuStorage::F32(hidden.to_vec()), (layout.rows(), n).into()),
            LayerOutput::Reduced(reductions) => {
                let reduced: Vec<Vec<f32>> =
                    reductions.iter().map(|reduction| reduction.forward(&hidden, layout, n)).collect();
                let sequences = layout.order().len();
                // One row for each sequence, with the results of its reductions side by side.
                let mut values = Vec::with_capacity(sequences * reduced.len() * n);
                for sequence in 0..sequences {
                    for vectors in &reduced {
                        values.extend_from_slice(&vectors[sequence * n..][..n]);
                    }
                }
                (CpuStorage::F32(values), (sequences, reduced.len() * n).into())
            }
        };
        *self.activations.lock().unwrap_or_else(PoisonError::into_inner) = Some((cells, hidden));
        Ok(result)
    }

    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        _result: &Tensor,
        d_result: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let LayerRun { layer, layout, tokens, output } = &self.run;
        let activations = self.activations.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((cells, hidden)) = activations else {
            candle_core::bail!(
                "recurrent: differentiated twice, expected once: the first backward pass consumes the activations"
            );
        };
        let n = layer.hidden_size();
        let mut d_hidden = Buffer::zeros(hidden.len());
        let gradients = with_slices([x, parameters, d_result], |[x, parameters, d_result]| {
            match output {
                LayerOutput::States => d_hidden.copy_from_slice(d_result),
                LayerOutput::Reduced(reductions) => {
                    // A row of `d_result` has the gradients of all reductions side by side, n values each.
                    for (index, reduction) in reductions.iter().enumerate() {
                        let rows = d_result.chunks_exact(reductions.len() * n);
                        let d_reduced: Vec<f32> = rows.flat_map(|row| &row[index * n..][..n]).copied().collect();
                        reduction.backward(&hidden, &d_reduced, layout, n, &mut d_hidden);
                    }
                }
            }
            let tokens = tokens.as_deref();
            Ok(layer.backward(cells, Forward { x, tokens, layout, hidden: &hidden }, &mut d_hidden, parameters))
        })?;
        let Gradients { x: d_x, parameters: d_parameters } = gradients;
        Ok((
            Some(Tensor::from_vec(d_x, x.shape(), x.device())?),
            Some(Tensor::from_vec(d_parameters, parameters.shape(), parameters.device())?),
        ))
    }
}

/// The operation [`reduce`] on the CPU.
struct ReduceOp {
    layout: Arc<PackedLayout>,
    reduction: Reduction,
}

impl CustomOp1 for ReduceOp {
    fn name(&self) -> &'static str {
        "tern-reduce"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = x_layout.shape().dims2()?;
        if rows != self.layout.rows() {
            candle_core::bail!("reduce: x is [{rows}, {width}], expected [{}, {width}]", self.layout.rows());
        }
        let reduced = self.reduction.forward(slice(x, x_layout)?, &self.layout, width);
        Ok((CpuStorage::F32(reduced), (self.layout.order().len(), width).into()))
    }

    fn bwd(&self, x: &Tensor, reduced: &Tensor, d_reduced: &Tensor) -> Result<Option<Tensor>> {
        let width = reduced.dim(1)?;
        let mut d_x = vec![0.0; x.elem_count()];
        with_slices([x, d_reduced], |[x, d_reduced]| {
            self.reduction.backward(x, d_reduced, &self.layout, width, &mut d_x);
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(d_x, x.shape(), x.device())?))
    }
}

/// Returns the values of a contiguous F32 tensor, row-major; an error for other tensors.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "tern" })?;
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        other => Err(Error::UnexpectedDType {
            msg: "tern",
            expected: DType::F32,
            got: candle_core::backend::BackendStorage::dtype(other),
        }),
    }
}

/// Calls `f` with the values of F32 tensors on the CPU, row-major. A tensor that is not contiguous is copied.
fn with_slices<const N: usize, T>(tensors: [&Tensor; N], f: impl FnOnce([&[f32]; N]) -> Result<T>) -> Result<T> {
    let contiguous = tensors.into_iter().map(Tensor::contiguous).collect::<Result<Vec<_>>>()?;
    let storages: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[f32]; N] = [&[]; N];
    for (values, (storage, layout)) in slices.iter_mut().zip(&storages) {
        match &**storage {
            Storage::Cpu(storage) => *values = slice(storage, layout)?,
            _ => candle_core::bail!("tern: expected a tensor on the CPU"),
        }
    }
    f(slices)
}

#[cfg(test)]
mod tests;

//! The layers as operations that candle can differentiate.
//!
//! candle's own products may sum in another order when a batch has another size, and its LSTM takes time quadratic in the
//! length of a text to go backward. These operations call the loops of [`mod@linear`] and [`recurrent`](mod@crate::recurrent)
//! instead. For tensors on another device than the CPU they are those of [`tensors`].

use super::buffer::Buffer;
use super::linear::{self, Linear};
use super::packed::Packing;
use super::pooling::Reduction;
use super::recurrent::{Cells, Forward, Gradients, Layer};
use super::tensors;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape, Storage, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// y = x·Wᵀ + b, with x: `[rows, in_features]`, `weight`: `[out_features, in_features]`, `bias`: `[out_features]`.
///
/// # Errors
///
/// Where the tensors are not contiguous F32.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.apply_op3(weight, bias, LinearOp) } else { tensors::linear(x, weight, bias) }
}

/// A recurrent layer over packed sequences.
#[derive(Clone, Debug)]
pub struct Recurrent {
    /// One direction of a layer, with the same weights as the tensor of its parameters.
    pub layer: Arc<Layer>,
    /// Where the tokens stand.
    pub packing: Arc<Packing>,
    /// For each token its row of x: `[rows]`. Without it x has a row for each token.
    pub tokens: Option<Arc<[u32]>>,
    /// What of the hidden states is wanted.
    pub read: Read,
}

/// What of a layer's hidden states is wanted.
#[derive(Clone, Debug)]
pub enum Read {
    /// All: `[rows, hidden_size]`.
    States,
    /// Vectors of each sequence, side by side: `[sequences, reductions * hidden_size]`, in the packing's order.
    Reduced(Vec<Reduction>),
}

/// Runs a recurrent layer.
///
/// `x`: `[rows, input_size]`, or one row for each distinct token. `parameters`: W_ih, W_hh, [`Biases::sums`] and
/// [`Biases::hidden`] in a row, which the layer was made of. The result can be differentiated once.
///
/// # Errors
///
/// Where the tensors are not contiguous F32, or have other shapes.
///
/// [`Biases::sums`]: super::recurrent::Biases::sums
/// [`Biases::hidden`]: super::recurrent::Biases::hidden
pub fn recurrent(x: &Tensor, parameters: &Tensor, run: Recurrent) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.apply_op2(parameters, RecurrentOp { run, kept: Mutex::new(None) })
    } else {
        tensors::recurrent(x, parameters, &run)
    }
}

/// One vector of each sequence from those of its tokens: x: `[rows, width]` → `[sequences, width]`, in the packing's
/// order.
///
/// # Errors
///
/// Where the tensor is not contiguous F32, or there are not as many rows as `packing` has.
pub fn reduce(x: &Tensor, packing: Arc<Packing>, reduction: Reduction) -> Result<Tensor> {
    if x.device().is_cpu() {
        x.apply_op1(ReduceOp { packing, reduction })
    } else {
        tensors::reduce(x, &packing, reduction)
    }
}

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
        let gradients =
            with_slices([x, weight, d_y], |[x, weight, d_y]| Ok(linear::backward(d_y, x, weight, rows, out_features)))?;
        Ok((
            Some(Tensor::from_vec(gradients.x, x.shape(), x.device())?),
            Some(Tensor::from_vec(gradients.weight, weight.shape(), weight.device())?),
            Some(Tensor::from_vec(gradients.bias, out_features, x.device())?),
        ))
    }
}

struct RecurrentOp {
    run: Recurrent,
    /// Left by the forward pass, consumed by the backward pass.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    cells: Box<dyn Cells>,
    hidden: Buffer,
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
        let Recurrent { layer, packing, tokens, read } = &self.run;
        let (rows, columns) = x_layout.shape().dims2()?;
        let expected = tokens.as_ref().map_or(packing.rows(), |_| rows);
        if (rows, columns) != (expected, layer.input_size()) {
            candle_core::bail!("recurrent: x is [{rows}, {columns}], expected [{expected}, {}]", layer.input_size());
        }
        let count = slice(parameters, parameters_layout)?.len();
        if count != layer.parameters() {
            candle_core::bail!("recurrent: there are {count} parameters, expected {}", layer.parameters());
        }
        if let Some(tokens) = tokens
            && (tokens.len() != packing.rows() || tokens.iter().any(|&token| token as usize >= rows))
        {
            candle_core::bail!(
                "recurrent: {} tokens have rows of x, expected {} tokens with rows below {rows}",
                tokens.len(),
                packing.rows()
            );
        }
        let (hidden, cells) = layer.forward(slice(x, x_layout)?, tokens.as_deref(), packing);
        let n = layer.hidden_size();
        let result = match read {
            Read::States => (CpuStorage::F32(hidden.to_vec()), (packing.rows(), n).into()),
            Read::Reduced(reductions) => {
                let parts: Vec<Vec<f32>> = reductions.iter().map(|r| r.forward(&hidden, packing, n)).collect();
                let sequences = packing.order().len();
                let rows = (0..sequences).flat_map(|row| parts.iter().flat_map(move |part| &part[row * n..][..n]));
                (CpuStorage::F32(rows.copied().collect()), (sequences, parts.len() * n).into())
            }
        };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { cells, hidden });
        Ok(result)
    }

    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        _result: &Tensor,
        d_result: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Recurrent { layer, packing, tokens, read } = &self.run;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Kept { cells, hidden }) = kept else {
            candle_core::bail!("recurrent: differentiated twice; its activations were consumed by the first time");
        };
        let n = layer.hidden_size();
        let mut d_hidden = Buffer::zeros(hidden.len());
        let gradients = with_slices([x, parameters, d_result], |[x, parameters, d_result]| {
            match read {
                Read::States => d_hidden.copy_from_slice(d_result),
                Read::Reduced(reductions) => {
                    for (index, reduction) in reductions.iter().enumerate() {
                        let rows = d_result.chunks_exact(reductions.len() * n);
                        let part: Vec<f32> = rows.flat_map(|row| &row[index * n..][..n]).copied().collect();
                        reduction.backward(&hidden, &part, packing, n, &mut d_hidden);
                    }
                }
            }
            let tokens = tokens.as_deref();
            Ok(layer.backward(cells, Forward { x, tokens, packing, hidden: &hidden }, &mut d_hidden, parameters))
        })?;
        let Gradients { x: d_x, parameters: d_parameters } = gradients;
        Ok((
            Some(Tensor::from_vec(d_x, x.shape(), x.device())?),
            Some(Tensor::from_vec(d_parameters, parameters.shape(), parameters.device())?),
        ))
    }
}

struct ReduceOp {
    packing: Arc<Packing>,
    reduction: Reduction,
}

impl CustomOp1 for ReduceOp {
    fn name(&self) -> &'static str {
        "tern-reduce"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        if rows != self.packing.rows() {
            candle_core::bail!("reduce: x is [{rows}, {width}], expected [{}, {width}]", self.packing.rows());
        }
        let reduced = self.reduction.forward(slice(x, layout)?, &self.packing, width);
        Ok((CpuStorage::F32(reduced), (self.packing.order().len(), width).into()))
    }

    fn bwd(&self, x: &Tensor, reduced: &Tensor, d_reduced: &Tensor) -> Result<Option<Tensor>> {
        let width = reduced.dim(1)?;
        let mut d_x = vec![0.0; x.elem_count()];
        with_slices([x, d_reduced], |[x, d_reduced]| {
            self.reduction.backward(x, d_reduced, &self.packing, width, &mut d_x);
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(d_x, x.shape(), x.device())?))
    }
}

/// The values of a contiguous F32 tensor.
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

/// Calls `f` with the values of contiguous F32 tensors on the CPU.
fn with_slices<const N: usize, T>(tensors: [&Tensor; N], f: impl FnOnce([&[f32]; N]) -> Result<T>) -> Result<T> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor?);
    }
    let storages: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[f32]; N] = [&[]; N];
    for (out, (storage, layout)) in slices.iter_mut().zip(&storages) {
        match &**storage {
            Storage::Cpu(storage) => *out = slice(storage, layout)?,
            _ => candle_core::bail!("tern: expected a tensor on the CPU"),
        }
    }
    f(slices)
}

#[cfg(test)]
mod tests;

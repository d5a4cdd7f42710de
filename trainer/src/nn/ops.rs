//! The layers as operations that candle can differentiate.
//!
//! candle's own products may sum in another order when a batch has another size, and its LSTM takes time quadratic in the
//! length of a text to go backward. These operations call the loops of [`mod@linear`] and [`recurrent`](mod@recurrent)
//! instead.

use super::linear::{self, Linear};
use super::packed::{Direction, Packing};
use super::pooling::Reduction;
use super::product::Panels;
use super::recurrent::{self, Cells};
use crate::architecture::Cell;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Error, Layout, Result, Shape, Storage, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// y = x·Wᵀ + b, with x: `[rows, in_features]`, `weight`: `[out_features, in_features]`, `bias`: `[out_features]`.
///
/// # Errors
///
/// Where the tensors are not contiguous F32 on the CPU.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.apply_op3(weight, bias, LinearOp)
}

/// The recurrent layer that [`recurrent`](fn@recurrent) runs.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its cells.
    pub cell: Cell,
    /// Where the tokens stand.
    pub packing: Arc<Packing>,
    /// In which order it reads them.
    pub direction: Direction,
}

/// The hidden states `[rows, hidden_size]` of a recurrent layer over packed sequences.
///
/// `gates`: `[rows, gates * hidden_size]`, the input's part of the sums; `w_hh`: `[gates * hidden_size, hidden_size]`;
/// `hidden_bias`: GRU's b_hn, `[hidden_size]`, and `[0]` of the other cells (see [`recurrent::Biases`]). The result can
/// be differentiated once.
///
/// # Errors
///
/// Where the tensors are not contiguous F32 on the CPU, or have other shapes.
pub fn recurrent(gates: &Tensor, w_hh: &Tensor, hidden_bias: &Tensor, layer: Layer) -> Result<Tensor> {
    gates.apply_op3(w_hh, hidden_bias, RecurrentOp { layer, cells: Mutex::new(None) })
}

/// One vector of each sequence from those of its tokens: x: `[rows, width]` → `[sequences, width]`, in the packing's
/// order.
///
/// # Errors
///
/// Where the tensor is not contiguous F32 on the CPU, or there are not as many rows as `packing` has.
pub fn reduce(x: &Tensor, packing: Arc<Packing>, reduction: Reduction) -> Result<Tensor> {
    x.apply_op1(ReduceOp { packing, reduction })
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
    layer: Layer,
    /// Left by the forward pass, consumed by the backward pass.
    cells: Mutex<Option<Box<dyn Cells>>>,
}

impl CustomOp3 for RecurrentOp {
    fn name(&self) -> &'static str {
        "tern-recurrent"
    }

    fn cpu_fwd(
        &self,
        gates: &CpuStorage,
        gates_layout: &Layout,
        w_hh: &CpuStorage,
        w_hh_layout: &Layout,
        hidden_bias: &CpuStorage,
        hidden_bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Layer { cell, packing, direction } = &self.layer;
        let (width, n) = w_hh_layout.shape().dims2()?;
        let (rows, columns) = gates_layout.shape().dims2()?;
        let biases = hidden_bias_layout.shape().dims1()?;
        let expected = (packing.rows(), cell.gates() * n, if *cell == Cell::Gru { n } else { 0 });
        if (rows, columns, biases) != expected || width != expected.1 {
            candle_core::bail!(
                "{}: gates are [{rows}, {columns}], w_hh is [{width}, {n}] and the hidden bias [{biases}], expected \
                 [{}, {}], [{}, {n}] and [{}]",
                cell.name(),
                expected.0,
                expected.1,
                expected.1,
                expected.2
            );
        }
        let panels = Panels::from_transposed(slice(w_hh, w_hh_layout)?, width, n);
        let gates = slice(gates, gates_layout)?.to_vec();
        let hidden_bias = slice(hidden_bias, hidden_bias_layout)?;
        let mut cells = recurrent::cells(*cell, gates, hidden_bias, packing, n);
        let hidden = recurrent::forward(cells.as_mut(), &panels, packing, *direction, n);
        *self.cells.lock().unwrap_or_else(PoisonError::into_inner) = Some(cells);
        Ok((CpuStorage::F32(hidden), (rows, n).into()))
    }

    fn bwd(
        &self,
        gates: &Tensor,
        w_hh: &Tensor,
        hidden_bias: &Tensor,
        hidden: &Tensor,
        d_hidden: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Layer { cell, packing, direction } = &self.layer;
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(cells) = cells else {
            candle_core::bail!(
                "{}: differentiated twice; its activations were consumed by the first time",
                cell.name()
            );
        };
        let n = w_hh.dim(1)?;
        let gradients = with_slices([w_hh, hidden, d_hidden], |[w_hh, hidden, d_hidden]| {
            Ok(recurrent::backward(cells, hidden, d_hidden.to_vec(), w_hh, packing, *direction, n))
        })?;
        Ok((
            Some(Tensor::from_vec(gradients.gates, gates.shape(), gates.device())?),
            Some(Tensor::from_vec(gradients.w_hh, w_hh.shape(), w_hh.device())?),
            Some(Tensor::from_vec(gradients.hidden_bias, hidden_bias.shape(), hidden_bias.device())?),
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
        let d_x = with_slices([x, d_reduced], |[x, d_reduced]| {
            Ok(self.reduction.backward(x, d_reduced, &self.packing, width))
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

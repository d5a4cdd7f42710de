//! The layers as operations that candle can differentiate.
//!
//! candle's own products may sum in another order when a batch has another size, and its LSTM takes time quadratic in the
//! length of a text to go backward. These operations call the loops of [`mod@linear`] and [`mod@lstm`] instead.

use super::linear::{self, Linear};
use super::lstm::{self, Activations};
use super::packed::Packing;
use super::product::Panels;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape, Storage, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// y = x·Wᵀ + b, with x: `[rows, in_features]`, `weight`: `[out_features, in_features]`, `bias`: `[out_features]`.
///
/// # Errors
///
/// Where the tensors are not contiguous F32 on the CPU.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.apply_op3(weight, bias, LinearOp)
}

/// The hidden states `[rows, hidden_size]` of an LSTM over packed sequences.
///
/// `gates`: `[rows, 4 * hidden_size]`, the input's part of the gates' sums; `w_hh`: `[4 * hidden_size, hidden_size]`.
/// The result can be differentiated once.
///
/// # Errors
///
/// Where the tensors are not contiguous F32 on the CPU, or there are not as many rows as `packing` has.
pub fn lstm(gates: &Tensor, w_hh: &Tensor, packing: Arc<Packing>) -> Result<Tensor> {
    gates.apply_op2(w_hh, LstmOp { packing, activations: Mutex::new(None) })
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

struct LstmOp {
    packing: Arc<Packing>,
    /// Left by the forward pass, consumed by the backward pass.
    activations: Mutex<Option<Activations>>,
}

impl CustomOp2 for LstmOp {
    fn name(&self) -> &'static str {
        "tern-lstm"
    }

    fn cpu_fwd(
        &self,
        gates: &CpuStorage,
        gates_layout: &Layout,
        w_hh: &CpuStorage,
        w_hh_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (four_n, n) = w_hh_layout.shape().dims2()?;
        let (rows, width) = gates_layout.shape().dims2()?;
        if four_n != 4 * n || width != four_n || rows != self.packing.rows() {
            candle_core::bail!(
                "lstm: gates are [{rows}, {width}] and w_hh is [{four_n}, {n}], expected [{}, {}] and [{}, {n}]",
                self.packing.rows(),
                4 * n,
                4 * n
            );
        }
        let panels = Panels::from_transposed(slice(w_hh, w_hh_layout)?, four_n, n);
        let gates = slice(gates, gates_layout)?.to_vec();
        let (hidden, activations) = lstm::forward(gates, &panels, &self.packing, n);
        *self.activations.lock().unwrap_or_else(PoisonError::into_inner) = Some(activations);
        Ok((CpuStorage::F32(hidden), (rows, n).into()))
    }

    fn bwd(
        &self,
        gates: &Tensor,
        w_hh: &Tensor,
        hidden: &Tensor,
        d_hidden: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let activations = self.activations.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(activations) = activations else {
            candle_core::bail!("lstm: differentiated twice; its activations were consumed by the first time");
        };
        let n = w_hh.dim(1)?;
        let gradients = with_slices([w_hh, hidden, d_hidden], |[w_hh, hidden, d_hidden]| {
            Ok(lstm::backward(activations, hidden, d_hidden.to_vec(), w_hh, &self.packing, n))
        })?;
        Ok((
            Some(Tensor::from_vec(gradients.gates, gates.shape(), gates.device())?),
            Some(Tensor::from_vec(gradients.w_hh, w_hh.shape(), w_hh.device())?),
        ))
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

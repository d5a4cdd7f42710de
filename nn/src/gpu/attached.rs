//! Tensors with a custom gradient: results that candle's operations did not compute, each with a backward function.

use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor};

/// Returns a copy of `result` that candle treats as a function of `x`. `backward`: takes a contiguous gradient of the
/// result and returns the gradient of `x`.
pub fn attach1(
    x: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op1(Attached { result: result.force_contiguous()?, backward })
}

/// Returns a copy of `result` that candle treats as a function of `x` and `y`. `backward`: takes a contiguous gradient
/// of the result and returns the gradients of `x` and `y`.
pub fn attach2(
    x: &Tensor,
    y: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor) -> Result<(Tensor, Tensor)> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op2(y, Attached { result: result.force_contiguous()?, backward })
}

/// An operation for candle whose forward pass returns a result that was computed before.
struct Attached<F> {
    /// The result: contiguous, and not a part of a larger tensor.
    result: Tensor,
    /// The backward pass.
    backward: F,
}

impl<F> Attached<F> {
    /// Returns a copy of the result as the output of the operation on the CPU.
    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match &*self.result.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), self.result.shape().clone())),
            _ => candle_core::bail!("tern-attached: the input is on the CPU, expected the result there too"),
        }
    }

    /// Returns a copy of the result as the output of the operation on a CUDA device.
    fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = self.result.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => {
                let copy = candle_core::backend::BackendStorage::try_clone(storage, layout)?;
                Ok((copy, self.result.shape().clone()))
            }
            _ => candle_core::bail!("tern-attached: the input is on a CUDA device, expected the result there too"),
        }
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor>> CustomOp1 for Attached<F> {
    fn name(&self) -> &'static str {
        "tern-attached"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.cuda()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(&gradient.contiguous()?).map(Some)
    }
}

impl<F: Fn(&Tensor) -> Result<(Tensor, Tensor)>> CustomOp2 for Attached<F> {
    fn name(&self) -> &'static str {
        "tern-attached"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.cuda()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (d_x, d_y) = (self.backward)(&gradient.contiguous()?)?;
        Ok((Some(d_x), Some(d_y)))
    }
}

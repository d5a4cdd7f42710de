//! Results with a gradient of our own: an operation computes its result, and candle later asks for the gradient.

use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor};

/// Returns a copy of `result` whose gradient with respect to `x` is `backward(gradient of the result)`.
pub fn attach1(
    x: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op1(Attached { result: result.force_contiguous()?, backward })
}

/// As [`attach1`], with two inputs.
pub fn attach2(
    x: &Tensor,
    y: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor) -> Result<(Tensor, Tensor)> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op2(y, Attached { result: result.force_contiguous()?, backward })
}

struct Attached<F> {
    /// Contiguous, with a memory of its own.
    result: Tensor,
    backward: F,
}

impl<F> Attached<F> {
    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match &*self.result.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), self.result.shape().clone())),
            _ => candle_core::bail!("tern-attached: expected a tensor on the CPU"),
        }
    }

    fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        let (storage, layout) = self.result.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => {
                let copy = candle_core::backend::BackendStorage::try_clone(storage, layout)?;
                Ok((copy, self.result.shape().clone()))
            }
            _ => candle_core::bail!("tern-attached: expected a tensor on a CUDA device"),
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

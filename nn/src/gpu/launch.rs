//! A kernel launch: the kernel, its arguments and its grid.

use candle_core::{Device, Layout, Result, Shape, Tensor};

/// One argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A pointer to an element of a tensor that the kernel reads: the tensor and the element's index. The tensor must
    /// be contiguous and not share its memory with the written tensor.
    Read(&'a Tensor, usize),
    /// A null pointer.
    Null,
    /// A pointer to an element of the tensor that the kernel writes: the element's index.
    Write(usize),
    /// An integer of 32 bits.
    Int(u32),
    /// A floating-point number.
    Float(f32),
}

impl<'a> Argument<'a> {
    /// A pointer to the first element of a tensor, or a null pointer for `None`.
    pub fn read_or_null(tensor: Option<&'a Tensor>) -> Self {
        tensor.map_or(Argument::Null, |tensor| Argument::Read(tensor, 0))
    }

    /// A size or an index, which is a signed integer of 32 bits in the kernels.
    ///
    /// # Panics
    /// Panics if `value` is 2^31 or more.
    pub fn int(value: usize) -> Self {
        Argument::Int(i32::try_from(value).expect("the sizes of a batch are below 2^31") as u32)
    }
}

/// A launch of a kernel with its arguments.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Name of the kernel in `nn/cuda/kernels.cu`.
    pub kernel: String,
    /// Number of blocks.
    pub blocks: usize,
    /// Threads of a block.
    pub threads: usize,
    /// Dynamic shared memory of a block, in bytes.
    pub shared_bytes: usize,
    /// The arguments, in the order of the kernel's parameters.
    pub arguments: Vec<Argument<'a>>,
}

/// Threads of a block in the launches of [`one_thread_each`](Launch::one_thread_each) and
/// [`combining`](Launch::combining); a power of 2, which `combine_block` in `training.cuh` requires.
const THREADS: usize = 256;

impl<'a> Launch<'a> {
    /// A launch of a kernel that computes one value in each thread: at least `values` threads in whole blocks.
    pub fn one_thread_each(kernel: &str, values: usize, arguments: Vec<Argument<'a>>) -> Self {
        Launch {
            kernel: kernel.to_owned(),
            blocks: values.div_ceil(THREADS),
            threads: THREADS,
            shared_bytes: 0,
            arguments,
        }
    }

    /// A launch of a kernel that combines the values of a block's threads into one, for example their sum. The shared
    /// memory holds one value of up to 8 bytes (f64) for each thread.
    pub fn combining(kernel: &str, blocks: usize, arguments: Vec<Argument<'a>>) -> Self {
        Launch { kernel: kernel.to_owned(), blocks, threads: THREADS, shared_bytes: 8 * THREADS, arguments }
    }

    /// Runs the kernel, which writes to `tensor`. The tensor must be contiguous and not a part of a larger tensor. Does
    /// nothing if there are no blocks.
    pub fn write(&self, tensor: &Tensor) -> Result<()> {
        if self.blocks == 0 {
            return Ok(());
        }
        tensor.inplace_op1(self)
    }

    /// Runs the kernel, which writes to a new F32 tensor of zeros, and returns that tensor.
    pub fn write_new(&self, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let tensor = Tensor::zeros(shape, candle_core::DType::F32, device)?;
        self.write(&tensor)?;
        Ok(tensor)
    }
}

/// Returns the index of the first element of a contiguous tensor in the tensor's storage.
pub(super) fn start(layout: &Layout) -> Result<usize> {
    let (start, _) = layout.contiguous_offsets().ok_or(candle_core::Error::RequiresContiguous { op: "tern-kernel" })?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_signed_integers() {
        let largest = i32::MAX as usize;
        assert!(matches!(Argument::int(largest), Argument::Int(0x7fff_ffff)));
        assert!(std::panic::catch_unwind(|| Argument::int(largest + 1)).is_err());
    }
}

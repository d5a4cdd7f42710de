//! The launch of a kernel on tensors.

use candle_core::{Device, Layout, Result, Shape, Tensor};

/// One argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A pointer to this element of a contiguous tensor, which the kernel reads. It must not share its memory with the
    /// written tensor.
    Read(&'a Tensor, usize),
    /// A null pointer.
    Null,
    /// A pointer to this element of the tensor that the kernel writes.
    Write(usize),
    /// An integer.
    Int(u32),
    /// A number.
    Float(f32),
}

impl<'a> Argument<'a> {
    /// A pointer to the first element of a tensor, or a null pointer.
    pub fn read_or_null(tensor: Option<&'a Tensor>) -> Self {
        tensor.map_or(Argument::Null, |tensor| Argument::Read(tensor, 0))
    }

    /// An integer.
    pub fn int(value: usize) -> Self {
        Argument::Int(u32::try_from(value).expect("a batch has fewer than 2^32 values"))
    }
}

/// A kernel with its arguments.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Name of the kernel in `nn/cuda/kernels.cu`.
    pub kernel: String,
    /// Number of blocks.
    pub blocks: usize,
    /// Threads of a block.
    pub threads: usize,
    /// Dynamic shared memory of a block.
    pub shared_bytes: usize,
    /// The arguments in the order of the kernel.
    pub arguments: Vec<Argument<'a>>,
}

/// Threads of a block of a kernel that computes one value in each thread.
const THREADS: usize = 256;

impl<'a> Launch<'a> {
    /// A launch with at least `values` threads.
    pub fn one_thread_each(kernel: &str, values: usize, arguments: Vec<Argument<'a>>) -> Self {
        Launch {
            kernel: kernel.to_owned(),
            blocks: values.div_ceil(THREADS),
            threads: THREADS,
            shared_bytes: 0,
            arguments,
        }
    }

    /// A launch with blocks that combine one value of eight bytes of each of their threads.
    pub fn combining(kernel: &str, blocks: usize, arguments: Vec<Argument<'a>>) -> Self {
        Launch { kernel: kernel.to_owned(), blocks, threads: THREADS, shared_bytes: 8 * THREADS, arguments }
    }

    /// Runs the kernel, which writes to `tensor`, a contiguous tensor with a memory of its own.
    pub fn write(&self, tensor: &Tensor) -> Result<()> {
        if self.blocks == 0 {
            return Ok(());
        }
        tensor.inplace_op1(self)
    }

    /// Runs the kernel, which writes to a new tensor of zeros.
    pub fn write_new(&self, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let tensor = Tensor::zeros(shape, candle_core::DType::F32, device)?;
        self.write(&tensor)?;
        Ok(tensor)
    }
}

/// The first element of a contiguous tensor in its memory.
pub(super) fn start(layout: &Layout) -> Result<usize> {
    let (start, _) = layout.contiguous_offsets().ok_or(candle_core::Error::RequiresContiguous { op: "tern-kernel" })?;
    Ok(start)
}

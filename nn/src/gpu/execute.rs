//! The execution of a launch as an in-place operation of candle: on a CUDA device, or in an emulator that tests set.

#[cfg(feature = "cuda")]
use super::cuda;
use super::launch::{Argument, Launch, start};
use candle_core::{CpuStorage, CudaStorage, Device, InplaceOp1, Layout, Result, Storage};
use std::sync::OnceLock;

impl InplaceOp1 for Launch<'_> {
    fn name(&self) -> &'static str {
        "tern-kernel"
    }

    fn cpu_fwd(&self, written: &mut CpuStorage, _layout: &Layout) -> Result<()> {
        let Some(emulator) = EMULATOR.get() else {
            candle_core::bail!("kernel {}: found tensors on the CPU, expected a CUDA device", self.kernel);
        };
        // Bytes of one value of the written tensor.
        let value_size = bytes(written, 0)?.len() / len_or_1(written);
        let arguments = self.arguments.iter().map(|argument| {
            Ok(match *argument {
                Argument::Read(tensor, element) => {
                    let (storage, layout) = tensor.storage_and_layout();
                    let Storage::Cpu(storage) = &*storage else {
                        candle_core::bail!("kernel {}: expected all arguments on the CPU", self.kernel);
                    };
                    Emulated::Bytes(bytes(storage, start(layout)? + element)?)
                }
                Argument::Null => Emulated::Null,
                Argument::Write(element) => Emulated::Offset((element * value_size) as u32),
                Argument::Int(value) => Emulated::Int(value),
                Argument::Float(value) => Emulated::Float(value),
            })
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let result = emulator(self, &arguments, bytes(written, 0)?).map_err(candle_core::Error::msg)?;
        match written {
            CpuStorage::F32(values) => read_values(&result, values, f32::from_le_bytes),
            CpuStorage::F64(values) => read_values(&result, values, f64::from_le_bytes),
            other => candle_core::bail!("kernel {}: writes {:?}, expected F32 or F64", self.kernel, dtype(other)),
        }
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, written: &mut CudaStorage, _layout: &Layout) -> Result<()> {
        cuda::launch(self, written)
    }

    #[cfg(not(feature = "cuda"))]
    fn cuda_fwd(&self, _written: &mut CudaStorage, _layout: &Layout) -> Result<()> {
        candle_core::bail!("kernel {}: built without the feature `cuda`, which GPUs need", self.kernel)
    }
}

/// Runs `launches`; on a CUDA device as one CUDA graph, so that the host waits for one launch in place of many.
///
/// On a CUDA device `launches` may run twice, so it must write the same values each time.
pub(super) fn launch_together(device: &Device, launches: impl Fn() -> Result<()>) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => cuda::launch_together(device, launches),
        _ => launches(),
    }
}

/// An argument for an emulator.
#[derive(Clone, Debug)]
pub enum Emulated {
    /// A pointer to a copy of the memory that the kernel reads.
    Bytes(Vec<u8>),
    /// A null pointer.
    Null,
    /// A pointer into the written tensor, as an offset in bytes.
    Offset(u32),
    /// An integer of 32 bits.
    Int(u32),
    /// A floating-point number.
    Float(f32),
}

/// A function that runs a launch on the host. It takes the launch, its arguments and the bytes of the written tensor,
/// and returns the bytes of that tensor after the launch, or the message of an error.
pub type Emulator = dyn Fn(&Launch<'_>, &[Emulated], Vec<u8>) -> std::result::Result<Vec<u8>, String> + Send + Sync;

static EMULATOR: OnceLock<Box<Emulator>> = OnceLock::new();

/// Sets the emulator that runs the kernels for tensors on the CPU, for tests. Only the first call has an effect.
pub fn emulate_with(emulator: Box<Emulator>) {
    // The result says only that there already was an emulator; a second one is dropped.
    let _ = EMULATOR.set(emulator);
}

/// Returns the little-endian bytes of all elements from index `start` on.
fn bytes(storage: &CpuStorage, start: usize) -> Result<Vec<u8>> {
    Ok(match storage {
        CpuStorage::F32(values) => values[start..].iter().flat_map(|value| value.to_le_bytes()).collect(),
        CpuStorage::F64(values) => values[start..].iter().flat_map(|value| value.to_le_bytes()).collect(),
        CpuStorage::U32(values) => values[start..].iter().flat_map(|value| value.to_le_bytes()).collect(),
        other => candle_core::bail!("a tensor of a kernel is {:?}, expected F32, F64 or U32", dtype(other)),
    })
}

fn dtype(storage: &CpuStorage) -> candle_core::DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

/// Returns the number of elements of a written tensor, F32 or F64; 1 for an empty or unsupported tensor, so that a
/// division by it is defined.
fn len_or_1(storage: &CpuStorage) -> usize {
    match storage {
        CpuStorage::F32(values) => values.len(),
        CpuStorage::F64(values) => values.len(),
        _ => 0,
    }
    .max(1)
}

/// Sets `values` to the numbers that `bytes` holds; `decode` returns the number of `N` bytes.
fn read_values<T, const N: usize>(bytes: &[u8], values: &mut [T], decode: impl Fn([u8; N]) -> T) {
    for (value, value_bytes) in values.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *value = decode(*value_bytes);
    }
}

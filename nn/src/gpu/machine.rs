//! A CUDA device: opening it, and its size, which determines the choice of kernels.

#[cfg(feature = "cuda")]
use super::cuda;
use candle_core::{Device, Result};

/// Opens the GPU with this number. Fails without a driver or a GPU, or if the feature `cuda` was not built in.
pub fn open_cuda(number: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    return cuda::open(number);
    #[cfg(not(feature = "cuda"))]
    Device::new_cuda(number)
}

/// The size of a CUDA device.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Number of multiprocessors.
    pub multiprocessors: usize,
    /// Largest shared memory of a block, in bytes.
    pub shared_bytes: usize,
}

impl Machine {
    /// The device that the emulator of the tests stands for: two multiprocessors with the shared memory of Hopper.
    const EMULATED: Machine = Machine { multiprocessors: 2, shared_bytes: 227 << 10 };

    /// Reads the size of a CUDA device. For other devices, returns the size of the emulated device.
    pub fn of(device: &Device) -> Result<Self> {
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => {
                let (multiprocessors, shared_bytes) = cuda::size(device)?;
                Ok(Machine { multiprocessors, shared_bytes })
            }
            _ => Ok(Machine::EMULATED),
        }
    }
}

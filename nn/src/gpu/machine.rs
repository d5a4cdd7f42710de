//! A CUDA device: opening it, and its size.

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

/// The size of a device.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Number of multiprocessors.
    pub multiprocessors: usize,
    /// Largest shared memory of a block, in bytes.
    pub shared_bytes: usize,
}

impl Machine {
    /// The emulated device.
    const EMULATED: Machine = Machine { multiprocessors: 2, shared_bytes: 227 << 10 };

    /// The size of a device.
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

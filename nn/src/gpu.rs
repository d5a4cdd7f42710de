//! Training on a CUDA device with the kernels of `nn/cuda`: see `docs/gpu.md`.
//!
//! The same code runs on the CPU if a test has set an emulator of the kernels with [`launch::emulate_with`].

pub mod attached;
pub mod batch;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod launch;
pub mod layer;
pub mod losses;
pub mod parameter;
pub mod reduce;
pub mod rows;
pub mod walk;

use candle_core::{Device, Result};

/// The size of a device.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Number of multiprocessors.
    pub multiprocessors: usize,
    /// Largest shared memory of a block, in bytes.
    pub shared_bytes: usize,
}

impl Machine {
    /// A small machine, for emulated launches.
    const EMULATED: Machine = Machine { multiprocessors: 2, shared_bytes: 227 << 10 };

    /// The size of a device.
    pub fn of(device: &Device) -> Result<Self> {
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::machine(device),
            _ => Ok(Machine::EMULATED),
        }
    }
}

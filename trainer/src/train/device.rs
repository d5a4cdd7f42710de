//! The device that computes a training.

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// The device that computes the gradients. All else, validation too, is done on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor, by fused loops: the same bits on every run, and the fastest for small models
    #[default]
    Cpu,
    /// The first NVIDIA GPU, in a `tern` built with the feature `cuda`
    Cuda,
    /// An Apple GPU, in a `tern` built with the feature `metal`
    Metal,
}

/// A device that is not there.
#[derive(Debug, thiserror::Error)]
#[error("device {name}: {what}; use --device cpu ([training] device = \"cpu\") or {remedy}")]
pub struct NoDevice {
    name: &'static str,
    what: String,
    remedy: &'static str,
}

impl DeviceKind {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// Where this program was built without it, or there is none.
    pub fn open(self) -> Result<Device, NoDevice> {
        let (name, built, device, build) = match self {
            DeviceKind::Cpu => return Ok(Device::Cpu),
            DeviceKind::Cuda => (
                "cuda",
                cfg!(feature = "cuda"),
                Device::new_cuda as fn(usize) -> candle_core::Result<Device>,
                "build with `cargo build --release --features cuda` where the CUDA toolkit is",
            ),
            DeviceKind::Metal => (
                "metal",
                cfg!(feature = "metal"),
                Device::new_metal as fn(usize) -> candle_core::Result<Device>,
                "build with `cargo build --release --features metal` on a Mac",
            ),
        };
        if !built {
            let what = format!("this tern was built without the feature `{name}`");
            return Err(NoDevice { name, what, remedy: build });
        }
        device(0).map_err(|error: candle_core::Error| NoDevice {
            name,
            what: error.to_string(),
            remedy: "see that the GPU and its driver are there",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_named_with_what_to_do() {
        assert!(DeviceKind::Cpu.open().unwrap().is_cpu());
        if !cfg!(feature = "cuda") {
            let error = DeviceKind::Cuda.open().unwrap_err().to_string();
            assert!(error.contains("without the feature `cuda`") && error.contains("--device cpu"), "{error}");
        }
        if !cfg!(feature = "metal") {
            let error = DeviceKind::Metal.open().unwrap_err().to_string();
            assert!(error.contains("--features metal"), "{error}");
        }
    }
}

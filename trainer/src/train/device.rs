//! Opens the device that computes the gradients.

use crate::recipe::DeviceKind;
use candle_core::Device;

impl DeviceKind {
    /// Opens the device. Fails, with a remedy, if this program was built without the device's feature, or the computer
    /// has no such device.
    pub fn open(self) -> Result<Device, String> {
        let (name, is_built_in, device, where_to_build) = match self {
            DeviceKind::Cpu => return Ok(Device::Cpu),
            DeviceKind::Cuda => ("cuda", cfg!(feature = "cuda"), Device::new_cuda(0), "where the CUDA toolkit is"),
            DeviceKind::Metal => ("metal", cfg!(feature = "metal"), Device::new_metal(0), "on a Mac"),
        };
        let unavailable = |fault: String, remedy: &str| {
            format!("device {name}: {fault}; use --device cpu ([training] device = \"cpu\") or {remedy}")
        };
        if !is_built_in {
            let remedy = format!("build with `cargo build --release --features {name}` {where_to_build}");
            return Err(unavailable(format!("this tern was built without the feature `{name}`"), &remedy));
        }
        device.map_err(|error| unavailable(error.to_string(), "see that the GPU and its driver are there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_for_a_missing_device_names_it_and_a_remedy() {
        assert!(DeviceKind::Cpu.open().unwrap().is_cpu());
        if !cfg!(feature = "cuda") {
            let error = DeviceKind::Cuda.open().unwrap_err();
            assert!(error.contains("without the feature `cuda`") && error.contains("--device cpu"), "{error}");
        }
        if !cfg!(feature = "metal") {
            let error = DeviceKind::Metal.open().unwrap_err();
            assert!(error.contains("--features metal"), "{error}");
        }
    }
}

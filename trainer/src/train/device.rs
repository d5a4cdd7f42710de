//! Opens the device that computes the gradients.

use super::problem::Problem;
use crate::architecture::{Architecture, Recurrent};
use crate::recipe::{DeviceKind, Recipe};
use candle_core::Device;

/// The device of a training.
#[derive(Debug)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// The reason for a choice of `auto`.
    pub reason: Option<String>,
}

/// Multiply-adds of the forward pass that one thread of a CPU computes in a second, in a whole training step: 634,000
/// tokens of an LSTM of 64 units, in the table of `README.md`.
const MULTIPLY_ADDS_PER_SECOND: f64 = 1e10;
/// The time on the CPU, in seconds, from which on `auto` takes a GPU, whose start takes some seconds.
const LEAST_SECONDS: f64 = 30.0;

impl DeviceKind {
    /// Opens the device of a training. `auto` takes a GPU if there is one and the training would take long without it.
    /// Otherwise, fails with a remedy if this program was built without the device's feature, or the computer has no
    /// such device.
    pub fn choose(self, recipe: &Recipe, problem: &Problem) -> Result<Chosen, String> {
        if self != DeviceKind::Auto {
            return Ok(Chosen { device: self.open()?, reason: None });
        }
        let cpu = |reason: String| Ok(Chosen { device: Device::Cpu, reason: Some(format!("device cpu: {reason}")) });
        let tokens: usize = problem.train.iter().map(|sample| sample.steps.len()).sum();
        let products = multiply_adds(&problem.architecture) as f64 * tokens as f64 * recipe.epochs() as f64;
        let seconds = products / MULTIPLY_ADDS_PER_SECOND / recipe.threads() as f64;
        if seconds < LEAST_SECONDS {
            return cpu(format!(
                "the training takes about {seconds:.0} s there, and a GPU pays from {LEAST_SECONDS} s on"
            ));
        }
        match DeviceKind::Cuda.open() {
            Ok(device) => {
                let reason = format!("device cuda: on the CPU the training would take about {seconds:.0} s");
                Ok(Chosen { device, reason: Some(reason) })
            }
            Err(error) => cpu(error),
        }
    }

    fn open(self) -> Result<Device, String> {
        let (name, is_built_in, device, where_to_build) = match self {
            DeviceKind::Cpu | DeviceKind::Auto => return Ok(Device::Cpu),
            // A stream of its own: the default one would be another one in each thread.
            DeviceKind::Cuda => {
                ("cuda", cfg!(feature = "cuda"), Device::new_cuda_with_stream(0), "where the CUDA toolkit is")
            }
            DeviceKind::Metal => ("metal", cfg!(feature = "metal"), Device::new_metal(0), "on a Mac"),
        };
        let unavailable = |fault: String, remedy: &str| {
            format!("device {name}: {fault}; use --device cpu ([training] device = \"cpu\") or {remedy}")
        };
        if !is_built_in {
            let remedy = format!("build with `cargo build --release --features {name}` {where_to_build}");
            return Err(unavailable(format!("this tern was built without the feature `{name}`"), &remedy));
        }
        let remedy = "see with `nvidia-smi` that the GPU and its driver, version 580 or newer, are there";
        device.map_err(|error| unavailable(first_line(&error), remedy))
    }
}

/// Multiply-adds of the recurrent layers for one token.
fn multiply_adds(architecture: &Architecture) -> usize {
    let Architecture { input, hidden_size: n, recurrent, .. } = *architecture;
    let Recurrent { cell, num_layers, .. } = recurrent;
    let directions = recurrent.directions().len();
    let inputs = |layer: usize| if layer == 0 { input.width() } else { directions * n };
    (0..num_layers).map(|layer| directions * cell.gates() * n * (inputs(layer) + n)).sum()
}

/// The message of an error without a backtrace.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Describes an error of a training step. If the device has run out of memory, the message names settings that need
/// less.
pub fn describe(error: &candle_core::Error) -> String {
    let message = first_line(error);
    if message.contains("OUT_OF_MEMORY") || message.contains("out of memory") {
        return format!(
            "the GPU's memory is too small for a batch ({message}); use less of it: --batch-tokens, --batch-size, --max-length, \
             or --device cpu"
        );
    }
    format!("candle: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Sizes;

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

    #[test]
    fn multiply_adds_are_those_of_all_layers_and_directions() {
        let sizes = Sizes { vocab_size: 9, embedding_dim: 3, hidden_size: 5, labels: 2 };
        let recurrent = Recurrent { num_layers: 2, bidirectional: true, ..Recurrent::default() };
        let expected = 2 * 4 * 5 * (3 + 5) + 2 * 4 * 5 * (10 + 5);
        assert_eq!(multiply_adds(&Architecture::of_tokens(sizes, recurrent)), expected);
    }

    #[test]
    fn auto_names_the_reason_for_the_cpu() {
        let (mut recipe, problem) = crate::train::tests::small_problem();
        let chosen = DeviceKind::Auto.choose(&recipe, &problem).unwrap();
        assert!(chosen.device.is_cpu());
        let reason = chosen.reason.unwrap();
        assert!(reason.contains("a GPU pays from 30 s on"), "{reason}");
        if !cfg!(feature = "cuda") {
            recipe.training.epochs = Some(usize::MAX / 2);
            let reason = DeviceKind::Auto.choose(&recipe, &problem).unwrap().reason.unwrap();
            assert!(reason.contains("device cpu: device cuda: this tern was built without"), "{reason}");
        }
    }

    #[test]
    fn running_out_of_memory_names_settings_that_need_less() {
        let error = candle_core::Error::msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        let message = describe(&error);
        assert!(message.contains("--batch-tokens") && message.contains("--device cpu"), "{message}");
        assert_eq!(describe(&candle_core::Error::msg("shape")), "candle: shape");
    }
}

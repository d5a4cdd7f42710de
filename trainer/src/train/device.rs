//! Opens the device that computes the gradients, and copies the state of a training to a GPU.

use super::outcome::TrainError;
use super::problem::Problem;
use super::state::State;
use crate::architecture::{Architecture, Recurrent, names};
use crate::recipe::{DeviceKind, Recipe};
use candle_core::Device;
use std::collections::BTreeSet;
use tern_nn::device_training::DeviceTraining;
use tern_nn::gpu::machine::open_cuda;
use tern_nn::process_group::ProcessGroup;

/// The device that a training runs on.
#[derive(Debug)]
pub struct ChosenDevice {
    /// The device.
    pub device: Device,
    /// The reason why `auto` chose this device; `None` if the recipe names the device.
    pub reason: Option<String>,
}

/// The speed of a training on one CPU thread: multiply-accumulates of the forward pass for each second of training.
/// Rounded down from 1.4e10: for an LSTM of 64 units and an embedding of 20, which has 4 · 64 · (20 + 64) of them for
/// each token, `README.md` gives 634,000 tokens per second.
const MACS_PER_SECOND: f64 = 1e10;
/// `auto` uses a GPU if the training would take this number of seconds or more on the CPU. Starting a GPU takes some
/// seconds.
const GPU_THRESHOLD_SECONDS: f64 = 30.0;

impl DeviceKind {
    /// Opens the device of a training. `auto` uses an NVIDIA GPU if one can be opened and the CPU would need 30 s or
    /// more by a rough estimate, otherwise the CPU; it never fails. `cuda` and `metal` fail, with an error that names a
    /// remedy, if the program was built without the feature or the computer has no such device. A process of a group
    /// opens the GPU whose number is its rank on the computer.
    pub fn choose(self, recipe: &Recipe, problem: &Problem, group: &dyn ProcessGroup) -> Result<ChosenDevice, String> {
        let number = group.local_rank();
        if self != DeviceKind::Auto {
            let device = self.open(number).map_err(|Unavailable { fault, remedy }| {
                let name = self.name();
                format!("device {name}: {fault}; use --device cpu ([training] device = \"cpu\") or {remedy}")
            })?;
            return Ok(ChosenDevice { device, reason: None });
        }
        let cpu =
            |reason: String| Ok(ChosenDevice { device: Device::Cpu, reason: Some(format!("device cpu: {reason}")) });
        let tokens: usize = problem.train.iter().map(|sample| sample.steps.len()).sum();
        let macs = macs_per_token(&problem.architecture) as f64 * tokens as f64 * recipe.epochs() as f64;
        // Each shard of a batch is computed by one thread of one process.
        let workers = (recipe.threads() * group.world_size()).min(recipe.training.shards);
        let seconds = macs / MACS_PER_SECOND / workers as f64;
        if seconds < GPU_THRESHOLD_SECONDS {
            return cpu(format!(
                "the training takes about {seconds:.0} s on the CPU; a GPU is used above {GPU_THRESHOLD_SECONDS} s"
            ));
        }
        match DeviceKind::Cuda.open(number) {
            Ok(device) => {
                let reason = format!("device cuda: on the CPU the training would take about {seconds:.0} s");
                Ok(ChosenDevice { device, reason: Some(reason) })
            }
            Err(Unavailable { fault, remedy }) => cpu(format!("{fault}; to use a GPU, {remedy}")),
        }
    }

    /// Opens a device of this kind. `number`: the GPU's number on the computer, from 0. `Auto` opens the CPU.
    fn open(self, number: usize) -> Result<Device, Unavailable> {
        // `where_to_build` and `check` are parts of the remedies below.
        let (is_built_in, device, where_to_build, check) = match self {
            DeviceKind::Cpu | DeviceKind::Auto => return Ok(Device::Cpu),
            DeviceKind::Cuda => (
                cfg!(feature = "cuda"),
                open_cuda(number),
                "where the CUDA toolkit is",
                "check with `nvidia-smi` that a GPU and its driver, version 580 or newer, are installed",
            ),
            DeviceKind::Metal => {
                (cfg!(feature = "metal"), Device::new_metal(number), "on a Mac", "check that this is a Mac with Metal")
            }
        };
        if !is_built_in {
            let name = self.name();
            let remedy = format!("build with `cargo build --release --features {name}` {where_to_build}");
            return Err(Unavailable { fault: format!("this tern was built without the feature `{name}`"), remedy });
        }
        device.map_err(|error| {
            let fault = first_line(&error);
            if number == 0 {
                return Unavailable { fault, remedy: check.to_owned() };
            }
            let remedy =
                format!("start at most one process for each GPU of this computer; this one needs GPU {number}");
            Unavailable { fault, remedy }
        })
    }

    /// Returns the name in recipes. That of a GPU is also the name of the feature.
    fn name(self) -> &'static str {
        match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Cuda => "cuda",
            DeviceKind::Metal => "metal",
            DeviceKind::Auto => "auto",
        }
    }
}

/// The reason why a device cannot be opened.
#[derive(Debug)]
struct Unavailable {
    /// The reason, such as an error of the driver.
    fault: String,
    /// A way to make it available, as an imperative.
    remedy: String,
}

/// Returns the number of multiply-accumulates in the forward pass of the recurrent layers for one token.
fn macs_per_token(architecture: &Architecture) -> usize {
    let Architecture { input, hidden_size: n, recurrent, .. } = *architecture;
    let Recurrent { cell, num_layers, .. } = recurrent;
    let directions = recurrent.directions().len();
    let input_width = |layer: usize| if layer == 0 { input.width() } else { directions * n };
    // The matrices of a gate are `[n][input_width]` and `[n][n]`.
    (0..num_layers).map(|layer| directions * cell.gates() * n * (input_width(layer) + n)).sum()
}

/// Returns the first line of an error's message. If there are more, they are a backtrace.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Describes an error of a training step. If the device has run out of memory, the message names settings that need
/// less.
fn describe(error: &candle_core::Error) -> String {
    let message = first_line(error);
    if message.contains("OUT_OF_MEMORY") || message.contains("out of memory") {
        return format!(
            "the GPU's memory is too small for a batch ({message}); lower --batch-tokens, --batch-size or --max-length, or \
             use --device cpu"
        );
    }
    format!("candle: {message}")
}

/// Copies the weights, their average and the optimizer's state to a GPU.
pub(super) fn copy_to_gpu(state: &State, problem: &Problem, device: &Device) -> Result<DeviceTraining, TrainError> {
    let Problem { architecture, objective, .. } = problem;
    let frozen = problem.embeddings.as_ref().filter(|embeddings| embeddings.frozen());
    // The rows of the embedding that are trained; `None` if all are.
    let trained_rows: Option<Vec<u32>> = frozen.map(|embeddings| {
        let frozen_rows: BTreeSet<u32> = embeddings.vectors().map(|(id, _)| id).collect();
        let rows = state.weights[names::EMBEDDING].shape[0] as u32;
        (0..rows).filter(|row| !frozen_rows.contains(row)).collect()
    });
    let parts = (&state.weights, &state.average, &state.optimizer);
    DeviceTraining::new(*architecture, objective, parts, trained_rows.as_deref(), device).map_err(gpu_error)
}

/// Converts an error that candle returned for a GPU into the error of the training.
pub(super) fn gpu_error(error: candle_core::Error) -> TrainError {
    TrainError::Start(describe(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Sizes;
    use tern_nn::process_group::OneProcess;

    #[test]
    fn error_for_a_missing_device_names_it_and_a_remedy() {
        let (recipe, problem) = crate::train::tests::small_problem();
        let choose = |kind: DeviceKind| kind.choose(&recipe, &problem, &OneProcess);
        let chosen = choose(DeviceKind::Cpu).unwrap();
        assert!(chosen.device.is_cpu() && chosen.reason.is_none());
        if !cfg!(feature = "cuda") {
            let error = choose(DeviceKind::Cuda).unwrap_err();
            assert!(error.starts_with("device cuda: this tern was built without the feature `cuda`"), "{error}");
            assert!(error.contains("--device cpu"), "{error}");
        }
        if !cfg!(feature = "metal") {
            let error = choose(DeviceKind::Metal).unwrap_err();
            assert!(error.contains("--features metal"), "{error}");
        }
    }

    #[test]
    fn macs_are_those_of_all_layers_and_directions() {
        let sizes = Sizes { vocab_size: 9, embedding_dim: 3, hidden_size: 5, labels: 2 };
        let recurrent = Recurrent { num_layers: 2, bidirectional: true, ..Recurrent::default() };
        let expected = 2 * 4 * 5 * (3 + 5) + 2 * 4 * 5 * (10 + 5);
        assert_eq!(macs_per_token(&Architecture::of_tokens(sizes, recurrent)), expected);
    }

    #[test]
    fn auto_names_the_reason_for_the_cpu() {
        let (mut recipe, problem) = crate::train::tests::small_problem();
        let chosen = DeviceKind::Auto.choose(&recipe, &problem, &OneProcess).unwrap();
        assert!(chosen.device.is_cpu());
        let reason = chosen.reason.unwrap();
        assert!(reason.contains("a GPU is used above 30 s"), "{reason}");
        if !cfg!(feature = "cuda") {
            recipe.training.epochs = Some(usize::MAX / 2);
            let reason = DeviceKind::Auto.choose(&recipe, &problem, &OneProcess).unwrap().reason.unwrap();
            assert!(reason.starts_with("device cpu: this tern was built without the feature `cuda`"), "{reason}");
            assert!(!reason.contains("--device cpu"), "{reason}");
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

//! Compares the CUDA kernels with the CPU's loops and with finite differences: on a GPU in a build with the feature
//! `cuda`, otherwise in the emulator.
//!
//! In the emulator each kernel runs with the threads of a block in two orders, which must give the same bits, under
//! sanitizers.

#[cfg(not(feature = "cuda"))]
mod emulator;
mod layers;
mod training;

use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::OnceLock;

const CPU: Device = Device::Cpu;

/// The device of the kernels: the first GPU, or the CPU with the emulator. Prints the reason and returns `None` if
/// there is neither.
fn device() -> Option<&'static Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| {
        #[cfg(feature = "cuda")]
        let opened = tern_nn::gpu::machine::open_cuda(0);
        #[cfg(not(feature = "cuda"))]
        let opened = emulator::start().map(|()| CPU);
        opened.inspect_err(|error| eprintln!("skipped: {error}")).ok()
    });
    device.as_ref()
}

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two lists differ by at most `tolerance`, absolute below 1 and relative above.
fn close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{what}, {index}: found {found}, expected {expected}"
        );
    }
}

/// The values of `y`, and the gradients of a random loss with respect to `variables`.
fn with_gradients(y: &Tensor, variables: &[&Var]) -> Vec<Vec<f32>> {
    let d_y = Tensor::from_vec(random(y.elem_count(), 6), y.shape(), y.device()).unwrap();
    let store = (y * d_y).unwrap().sum_all().unwrap().backward().unwrap();
    let gradients = variables.iter().map(|variable| flat(store.get(variable).unwrap()));
    [flat(y)].into_iter().chain(gradients).collect()
}

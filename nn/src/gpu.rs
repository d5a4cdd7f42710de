//! The CUDA kernels of `nn/cuda` for training, and their launches: see `docs/gpu.md`.
//!
//! For tests, the same code runs on the CPU, with an emulator of the kernels that [`execute::emulate_with`] sets.

pub mod attached;
pub mod batch;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod execute;
pub mod launch;
pub mod layer;
pub mod losses;
pub mod machine;
pub mod parameter;
pub mod reduce;
pub mod rows;
pub mod walk;

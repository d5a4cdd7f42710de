//! Training on a CUDA device with the kernels of `nn/cuda`: see `docs/gpu.md`.
//!
//! The same code runs on the CPU if a test has set an emulator of the kernels with [`execute::emulate_with`].

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

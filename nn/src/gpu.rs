//! The CUDA kernels of `nn/cuda` for training, and their launches: see `docs/gpu.md`.
//!
//! For tests, the same code runs on the CPU, with an emulator of the kernels that [`execute::emulate_with`] sets.
//!
//! | module | contents |
//! |---|---|
//! | [`machine`], `cuda` | opening a CUDA device, and its size; the compiled kernels (feature `cuda`) |
//! | [`launch`], [`execute`] | a kernel launch with its arguments; its execution on the device or in the emulator |
//! | [`batch`], [`rows`] | the layout of a packed batch; selection and addition of rows |
//! | [`layer`], [`walk`] | a recurrent layer; the kernels that compute all its time steps in one launch |
//! | [`reduce`], [`losses`] | pooling over time; losses and their gradients |
//! | [`parameter`] | a parameter with its running average and its optimizer state |
//! | [`attached`] | tensors with a custom gradient |

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

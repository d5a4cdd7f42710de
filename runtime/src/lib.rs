#![doc = include_str!("../README.md")]
#![no_std]
// Only the small cores' kernels in `kernel/` allow it.
#![deny(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!(
    "tern-runtime executes device files in place, and they are little-endian: build for a little-endian target"
);

#[cfg(any(test, feature = "write", feature = "unpacked"))]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod activation;
mod archive;
mod cell;
mod config;
mod embedding;
mod error;
mod fault;
mod fingerprint;
mod fixed;
mod folded;
#[cfg(test)]
mod golden;
mod gru;
mod head;
mod header;
mod kernel;
mod linear;
mod lstm;
mod matrix;
mod memory;
mod model;
mod parts;
mod pool;
mod rnn;
#[cfg(feature = "widths")]
mod row_layer;
mod rows;
mod run;
mod sampling;
mod session;
mod softmax;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
mod texts;
#[cfg(any(test, feature = "unpacked"))]
mod unpacked;
mod values;
mod vocabulary;
#[cfg(any(test, feature = "write"))]
pub mod write;

pub use config::Config;
pub use error::{LoadError, Name, ScratchError, StateError, TooLong};
pub use head::{Logits, Ranked};
pub use model::{Calibration, Channel, Cost, Flash, Golden, Model, SelfTest, file_len};
pub use sampling::Sampler;
pub use session::{Session, Step};
pub use softmax::softmax;
pub use tern_format::{Cell, Input, Merge, Output, Packing, Pooling, Task, VERSION as FORMAT};
pub use texts::Texts;
#[cfg(any(test, feature = "unpacked"))]
pub use unpacked::Unpacked;
pub use vocabulary::{PAD, UNK, Vocabulary};

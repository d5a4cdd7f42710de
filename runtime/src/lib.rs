#![doc = include_str!("../README.md")]
#![no_std]
// Only `kernel/` allows unsafe code: assembly for single cores, vector instructions of hosts, and the lookup in the
// n-gram table.
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
mod config;
mod cost;
mod error;
mod features;
mod fixed;
#[cfg(test)]
mod golden;
mod invariant;
mod kernel;
mod layers;
mod load;
mod model;
mod needed_features;
mod rows;
mod session;
mod softmax;
mod state_codec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
#[cfg(any(test, feature = "unpacked"))]
mod unpacked;
#[cfg(any(test, feature = "write"))]
pub mod write;

pub use config::Config;
pub use cost::{Cost, Flash};
pub use error::{LoadError, Name, ScratchError, SessionError, StateError, TooLong};
pub use layers::head::{Answer, Logits, Ranked, Refusal};
pub use layers::scaling::Channel;
pub use load::file_len;
pub use model::{Calibration, Golden, Model, SelfTest};
pub use session::sampling::Sampler;
pub use session::{Session, SessionBase, Step, TextSession, ValueSession};
pub use softmax::softmax;
pub use tern_format::{Cell, Input, Merge, Ngrams, Output, Packing, Pooling, Task, VERSION as FORMAT};
pub use text::texts::Texts;
pub use text::vocabulary::{PAD, UNK, Vocabulary};
#[cfg(any(test, feature = "unpacked"))]
pub use unpacked::Unpacked;

/// Includes a device file as `&'static [u8]` at an address that is a multiple of 8, as [`Model::from_bytes`] requires.
/// The path is relative to the current source file, as in [`include_bytes!`].
///
/// ```
/// static FILE: &[u8] = tern_runtime::include_model!("../tests/golden/lstm.safetensors");
/// assert!(tern_runtime::Model::from_bytes(FILE).is_ok());
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        // `Aligned<[u8; N]>` is converted to `Aligned<[u8]>`, because the length of the file has no name here.
        #[repr(C, align(8))]
        struct Aligned<T: ?Sized>(T);
        const FILE: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        let bytes: &'static [u8] = &FILE.0;
        bytes
    }};
}

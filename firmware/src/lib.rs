#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod answer;
pub mod classifier;
pub mod command;
pub mod console;
pub mod crc32;
pub mod device;
pub mod error;
pub mod flash;
pub mod frame;
pub mod hardware;
pub mod info;
pub mod line;
pub mod models;
pub mod numbers;
pub mod port;
pub mod queue;
pub mod slots;
#[cfg(test)]
mod soak;
pub mod starts;
pub mod stats;
pub mod stream;
pub mod terminal;
pub mod text;
pub mod ymodem;

pub use classifier::{Classifier, Found, Refusal};
pub use console::Console;
pub use flash::{Partition, Partitions, RamFlash};
pub use hardware::{Hardware, ResetReason};
pub use info::Board;
pub use port::{Event, Level, Loss, Port, Stack};

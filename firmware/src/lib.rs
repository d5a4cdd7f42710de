#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod answer;
pub mod boot_count;
pub mod command;
pub mod console;
pub mod console_error;
pub mod crc32;
pub mod device;
pub mod display;
pub mod engine;
pub mod flash;
pub mod form;
pub mod frame;
pub mod hardware;
pub mod info;
pub mod line;
pub mod log_level;
pub mod numbers;
pub mod port;
pub mod queue;
#[cfg(test)]
mod random_lines;
pub mod request;
pub mod slots;
pub mod stats;
pub mod stream;
pub mod terminal;
mod transfer;
pub mod ymodem;

pub use console::Console;
pub use engine::{Engine, LoadedModel, Refusal};
pub use flash::{Partition, Partitions, RamFlash};
pub use hardware::{Hardware, ResetReason};
pub use info::Board;
pub use log_level::Level;
pub use port::{Event, LostBytes, Port, Stack};

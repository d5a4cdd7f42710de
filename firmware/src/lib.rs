#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod answer;
pub mod boot_count;
mod command;
mod completion;
mod console;
mod console_error;
mod crc32;
pub mod device;
mod display;
mod engine;
mod features;
pub mod flash;
mod frame;
mod golden;
pub mod hardware;
mod info;
mod line;
mod loaded_model;
pub mod log_level;
mod numbers;
mod pieces;
mod port;
pub mod queue;
#[cfg(test)]
mod random_lines;
mod request;
mod slots;
mod stats;
mod stream;
mod transfer;
mod ymodem;

pub use engine::Engine;
pub use flash::{Partition, Partitions, RamFlash};
pub use hardware::{Hardware, ResetReason};
pub use info::{BoardInfo, FIRMWARE};
pub use loaded_model::Refusal;
pub use port::{Event, LostBytes, Port, Stack};
pub use slots::TrustedKey;

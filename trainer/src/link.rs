//! Connections to a device: over a serial port, over TCP, or to a board that QEMU emulates.
//!
//! [`LinkArgs`] are the command line options that name a device; they give a [`Target`], and [`Target::open`] a
//! [`Connection`] to it. [`Client`] speaks the console's machine mode (`docs/console.md`) over any [`Link`], and
//! [`Streaming`](stream::Streaming) its streaming mode, in which each text gets a [`Reply`]: its [`Classification`], or
//! an error.

mod client;
mod connection;
#[cfg(test)]
pub(crate) mod fake_device;
mod firmware;
mod frame;
mod holders;
mod process;
mod qemu;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod transport;
mod ymodem;

pub use client::{Client, ClientError, DeviceError, Info, is_banner, patience};
pub use connection::{Connection, SendHalf};
pub use qemu::{Emulation, INSTRUCTION_NS};
pub use stream::{Classification, Reply};
pub use target::{LinkArgs, Target};
pub use transport::{Link, LinkError, catch_interrupts, quoted};

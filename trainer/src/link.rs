//! Connections to a device: over a serial port, over TCP, or to a board that QEMU emulates.
//!
//! [`LinkArgs`] are the command line options that name a device. [`LinkArgs::target`] returns the [`Target`] that they
//! name, and [`Target::open`] opens a [`Connection`] to it. [`Client`] uses the console's machine mode
//! (`docs/console.md`) over any [`Link`]. [`Streaming`](stream::Streaming) uses the console's streaming mode, in which
//! each text gets a [`Reply`]: its [`Classification`], or an error.

mod client;
mod client_error;
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
mod waits;
mod ymodem;

pub use client::{Client, Info, is_banner};
pub use client_error::{ClientError, DeviceError};
pub use connection::{Connection, SendHalf};
pub use qemu::{Emulation, INSTRUCTION_NS};
pub use stream::{Classification, Reply};
pub use target::{LinkArgs, Target};
pub use transport::{Link, LinkError, catch_interrupts, quoted};
pub use waits::{milliseconds, patience};

//! A Raspberry Pi Pico that rp2040js emulates, with its UART or its USB serial port at a TCP port.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use xtask::setup::programs;

use crate::device::{address, free_port};
use crate::programs::root;
use crate::tools::skip;

/// The serial port of a Pico that the emulator connects to the TCP port.
#[derive(Clone, Copy, Debug)]
pub enum Connection {
    /// UART0.
    Uart,
    /// The USB serial port; the emulator plays the USB host.
    Usb,
}

/// A Pico in the emulator rp2040js. Dropping it cuts its power.
#[derive(Debug)]
pub struct Pico {
    emulator: Child,
    port: u16,
}

impl Drop for Pico {
    fn drop(&mut self) {
        // An error means that the emulator has already ended.
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

impl Pico {
    /// Starts a Pico whose flash begins with the bytes of the file `flash`. The chip starts once its port is connected.
    /// Returns `None` if the emulator is not installed and the calling test is to be skipped. Panics if the emulator
    /// does not start.
    pub fn start(flash: &Path, connection: Connection) -> Option<Self> {
        if let Err(error) = programs::ensure_rp2040js() {
            skip(&format!("{error:#}"));
            return None;
        }
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(root().join("tests/rp2040/emulate.mjs")).arg(programs::npm_packages());
        command.arg(match connection {
            Connection::Uart => "uart",
            Connection::Usb => "usb",
        });
        command.arg(port.to_string()).arg(format!("{}@0x10000000", flash.display()));
        let emulator = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        Some(Pico { emulator: emulator.expect("Node starts"), port })
    }

    /// Waits until the console accepts a connection and returns its address for `tern … --tcp`.
    pub fn address(&mut self) -> String {
        address(&mut self.emulator, self.port)
    }
}

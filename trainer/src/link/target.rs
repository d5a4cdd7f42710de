//! Which device.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Emulation, OpenError, Wire};

/// How long one read waits before it looks whether it is still wanted.
const READ_SLICE: Duration = Duration::from_millis(100);
const WRITE_SLICE: Duration = Duration::from_secs(1);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A device, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One that QEMU emulates.
    Qemu(Emulation),
    /// One at a serial port.
    Port {
        /// The port's name in the system.
        path: String,
        /// Bits per second.
        baud: u32,
    },
    /// One behind a TCP port.
    Tcp {
        /// HOST:PORT.
        address: String,
    },
}

impl Target {
    /// Opens the line.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(&self) -> Result<Wire, OpenError> {
        match self {
            Target::Qemu(emulation) => emulation.start(),
            Target::Port { path, baud } => serial(path, *baud),
            Target::Tcp { address } => tcp(address).map_err(|error| OpenError::Tcp { address: address.clone(), error }),
        }
    }

    /// The emulation, if it is one.
    pub fn emulation(&self) -> Option<&Emulation> {
        match self {
            Target::Qemu(emulation) => Some(emulation),
            _ => None,
        }
    }
}

fn serial(path: &str, baud: u32) -> Result<Wire, OpenError> {
    let open = || {
        let mut writer = serialport::new(path, baud).timeout(READ_SLICE).open()?;
        let reader = writer.try_clone()?;
        writer.set_timeout(WRITE_SLICE)?;
        Ok((reader, writer))
    };
    let (reader, writer) = open().map_err(|error| {
        let ports = serialport::available_ports().unwrap_or_default();
        OpenError::Port { port: path.to_owned(), error, ports: ports.into_iter().map(|port| port.port_name).collect() }
    })?;
    Ok(Wire::new(path.to_owned(), reader, writer))
}

fn tcp(address: &str) -> std::io::Result<Wire> {
    let mut last = std::io::ErrorKind::AddrNotAvailable.into();
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(READ_SLICE))?;
                stream.set_write_timeout(Some(WRITE_SLICE))?;
                let reader = stream.try_clone()?;
                return Ok(Wire::new(address.to_owned(), reader, stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

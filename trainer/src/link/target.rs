//! The command line options that name a device, and the opening of a connection to it.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serialport::ErrorKind;
use tern_boards::{BOARDS, Board};

use super::connection::{Connection, Kind};
use super::holders::holders;
use super::qemu::Emulation;
use super::transport::OpenError;

/// Timeout of one read, after which the reading thread checks whether it is still needed.
const READ_TIMEOUT: Duration = Duration::from_millis(100);
/// Timeout of one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout of a TCP connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Default speed of a serial port in bits per second.
const BAUD: u32 = 115_200;

/// The device to connect to: exactly one of `--qemu`, `--port` and `--tcp`.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Device",
    group = clap::ArgGroup::new("device").required(true).multiple(false))]
pub struct LinkArgs {
    /// Emulate a board with QEMU; FILE is put into its flash
    #[arg(long, group = "device")]
    pub qemu: bool,
    /// Serial port of a board, for example /dev/ttyACM0
    #[arg(long, value_name = "PATH", group = "device")]
    pub port: Option<String>,
    /// TCP port of a device's console
    #[arg(long, value_name = "HOST:PORT", group = "device")]
    pub tcp: Option<String>,
    /// Board to emulate [default: mps2-an386]
    #[arg(long, value_name = "NAME", requires = "qemu", value_parser = emulated_boards())]
    pub board: Option<String>,
    /// Firmware to emulate [default: TERN_FIRMWARE, else the one that `cargo xtask firmware` built]
    #[arg(long, value_name = "ELF", requires = "qemu")]
    pub firmware: Option<PathBuf>,
    /// Keep the emulated flash in this file; the model in it runs, and FILE is not put there
    #[arg(long, value_name = "FLASH", requires = "qemu")]
    pub flash: Option<PathBuf>,
    /// Write the emulated firmware's defmt log to this file
    #[arg(long, value_name = "FILE", requires = "qemu")]
    pub log: Option<PathBuf>,
    /// Bits per second of the serial port [default: 115200]
    #[arg(long, requires = "port", value_parser = clap::value_parser!(u32).range(1..))]
    pub baud: Option<u32>,
    /// Give up on a device that sends nothing for this long while an answer is due; commands that may take long get
    /// more time
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub timeout: f64,
}

/// The names of the boards that QEMU emulates.
fn emulated_boards() -> clap::builder::PossibleValuesParser {
    BOARDS.iter().filter(|board| board.emulator.is_some()).map(|board| board.name).collect::<Vec<_>>().into()
}

/// Parses a timeout in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds, 0.1 to 86400".to_owned()),
    }
}

impl LinkArgs {
    /// The longest time in which a device may send nothing while an answer is due.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    /// Returns the device that the options name. An emulated board gets the device file `model` in its flash, unless
    /// `--flash` names a file for it. Fails if the firmware of an emulated board is not found.
    pub fn target(&self, model: Option<&PathBuf>) -> Result<Target, OpenError> {
        if let Some(path) = &self.port {
            return Ok(Target::Port { path: path.clone(), baud: self.baud.unwrap_or(BAUD) });
        }
        if let Some(address) = &self.tcp {
            return Ok(Target::Tcp { address: address.clone() });
        }
        let board = self.board.as_deref().and_then(Board::named).unwrap_or(tern_boards::DEFAULT);
        // With `--flash`, the model in that file runs.
        let model = if self.flash.is_some() { None } else { model.cloned() };
        let emulation = Emulation::new(board, self.firmware.clone(), model)?;
        Ok(Target::Qemu(Emulation { flash: self.flash.clone(), log: self.log.clone(), ..emulation }))
    }

    /// Returns the options that name the same device on another command line. Neither `--log` nor `--timeout` is among
    /// them.
    pub fn command_line(&self) -> String {
        let mut words = Vec::new();
        if self.qemu {
            words.push("--qemu".to_owned());
        }
        let number = self.baud.map(|baud| baud.to_string());
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        for (option, value) in [
            ("--port", self.port.clone()),
            ("--tcp", self.tcp.clone()),
            ("--board", self.board.clone()),
            ("--firmware", path(&self.firmware)),
            ("--flash", path(&self.flash)),
            ("--baud", number),
        ] {
            words.extend(value.map(|value| format!("{option} {value}")));
        }
        words.join(" ")
    }
}

/// A device, with the way in which it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A board that QEMU emulates.
    Qemu(Emulation),
    /// A serial port, with its speed in bits per second.
    Port { path: String, baud: u32 },
    /// The TCP port of a console, `HOST:PORT`.
    Tcp { address: String },
}

impl Target {
    /// Opens a connection to the device; an emulated device is started.
    pub fn open(&self) -> Result<Connection, OpenError> {
        match self {
            Target::Qemu(emulation) => emulation.start(),
            Target::Port { path, baud } => serial(path, *baud),
            Target::Tcp { address } => tcp(address).map_err(|error| OpenError::Tcp { address: address.clone(), error }),
        }
    }

    /// The emulation; `None` if the device is not emulated.
    pub fn emulation(&self) -> Option<&Emulation> {
        match self {
            Target::Qemu(emulation) => Some(emulation),
            _ => None,
        }
    }
}

/// Opens a serial port.
fn serial(path: &str, baud: u32) -> Result<Connection, OpenError> {
    let open = || {
        let mut writer = serialport::new(path, baud).timeout(READ_TIMEOUT).open()?;
        let reader = writer.try_clone()?;
        writer.set_timeout(WRITE_TIMEOUT)?;
        Ok((reader, writer))
    };
    let (reader, writer) = open().map_err(|error: serialport::Error| {
        let port = path.to_owned();
        match error.kind() {
            ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => OpenError::PortPermission { port },
            // This kind of error is also that of a port that does not exist.
            ErrorKind::NoDevice if Path::new(path).exists() => OpenError::PortBusy { holders: holders(path), port },
            _ => {
                let ports = serialport::available_ports().unwrap_or_default();
                OpenError::Port { port, error, ports: ports.into_iter().map(|port| port.port_name).collect() }
            }
        }
    })?;
    Ok(Connection::new(path.to_owned(), Kind::Port, reader, writer))
}

/// Connects to the first of the host's addresses that accepts the connection.
fn tcp(address: &str) -> std::io::Result<Connection> {
    // The error of the last address, or this one if the host has no address.
    let mut last_error = std::io::ErrorKind::AddrNotAvailable.into();
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(READ_TIMEOUT))?;
                stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                let reader = stream.try_clone()?;
                return Ok(Connection::new(address.to_owned(), Kind::Tcp, reader, stream));
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

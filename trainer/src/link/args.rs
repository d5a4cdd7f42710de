//! The options that name a device.

use std::path::PathBuf;
use std::time::Duration;

use tern_boards::{BOARDS, Board};

use super::{Emulation, OpenError, Target};

/// Which device to talk to: exactly one of `--qemu`, `--port` and `--tcp`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Device",
    group = clap::ArgGroup::new("device").required(true).multiple(false))]
pub struct LinkArgs {
    /// Emulate a board with QEMU; FILE lies in its flash
    #[arg(long, group = "device")]
    pub qemu: bool,

    /// Serial port of a board, for example /dev/ttyACM0
    #[arg(long, value_name = "PATH", group = "device")]
    pub port: Option<String>,

    /// A console behind a TCP port
    #[arg(long, value_name = "HOST:PORT", group = "device")]
    pub tcp: Option<String>,

    /// The board to emulate [default: mps2-an386]
    #[arg(long, value_name = "NAME", requires = "qemu", value_parser = emulated())]
    pub board: Option<String>,

    /// The firmware to emulate [default: TERN_FIRMWARE, else the one that `cargo xtask firmware` built]
    #[arg(long, value_name = "ELF", requires = "qemu")]
    pub firmware: Option<PathBuf>,

    /// Keep the emulated board's flash in this file; what lies there runs, and FILE is not put there
    #[arg(long, value_name = "FLASH", requires = "qemu")]
    pub flash: Option<PathBuf>,

    /// Write the emulated firmware's defmt channel to this file
    #[arg(long, value_name = "FILE", requires = "qemu")]
    pub log: Option<PathBuf>,

    /// Bits per second of the serial port [default: 115200]
    #[arg(long, requires = "port", value_parser = clap::value_parser!(u32).range(1..))]
    pub baud: Option<u32>,

    /// Give a device up that sends nothing for so long while it owes an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    pub timeout: f64,
}

/// The boards that QEMU has.
fn emulated() -> clap::builder::PossibleValuesParser {
    BOARDS.iter().filter(|board| board.emulator.is_some()).map(|board| board.name).collect::<Vec<_>>().into()
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds, 0.1 to 86400".to_owned()),
    }
}

impl LinkArgs {
    /// How long a device may be silent while it owes an answer.
    pub fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    /// The device that the options name; in an emulator `model` lies in its flash.
    ///
    /// # Errors
    /// [`OpenError`] if there is no firmware to emulate.
    pub fn target(&self, model: Option<&PathBuf>) -> Result<Target, OpenError> {
        if let Some(path) = &self.port {
            return Ok(Target::Port { path: path.clone(), baud: self.baud.unwrap_or(115_200) });
        }
        if let Some(address) = &self.tcp {
            return Ok(Target::Tcp { address: address.clone() });
        }
        let board = self.board.as_deref().and_then(Board::named).unwrap_or(tern_boards::DEFAULT);
        // A flash that is kept has its own.
        let model = model.filter(|_| self.flash.is_none()).cloned();
        let emulation = Emulation::new(board, self.firmware.clone(), model)?;
        Ok(Target::Qemu(Emulation { flash: self.flash.clone(), log: self.log.clone(), ..emulation }))
    }
}

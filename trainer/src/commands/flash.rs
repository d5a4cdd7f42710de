//! `tern flash`

mod image;
mod probe;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use tern_boards::{BOARDS, Board};

use self::image::Image;
use super::{Failure, note, print};
use crate::link::{Client, Emulation, Wire, interrupt};

/// How long an emulated device may take to start, and to run its golden texts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of `tern flash`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern flash --board nrf52840-dk firmware/target/boards/nrf52840-dk.elf
  tern flash --board nrf52840-dk spam.safetensors
  tern flash --board riscv32-virt --qemu spam.safetensors

A firmware (an ELF file of `cargo xtask firmware --board NAME`) goes where it is linked to, a model (a
device file of `tern export`) to the board's first slot; the board is reset then. probe-rs does the
work and must be installed: https://probe.rs. An emulator forgets what it holds when it ends: with
--qemu the file is put into the emulated flash, and the device says what it makes of it.")]
pub struct Args {
    /// Firmware or device file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The board
    #[arg(long, value_name = "NAME", value_parser = names())]
    pub board: String,
    /// Try the file in the emulator
    #[arg(long)]
    pub qemu: bool,
    /// The firmware that runs an emulated model [default: TERN_FIRMWARE, else what `cargo xtask firmware` built]
    #[arg(long, value_name = "ELF", requires = "qemu")]
    pub firmware: Option<PathBuf>,
    /// Which debug probe, where there are several: VID:PID or VID:PID:SERIAL, as `probe-rs list` shows it
    #[arg(long, value_name = "PROBE", conflicts_with = "qemu")]
    pub probe: Option<String>,
}

fn names() -> clap::builder::PossibleValuesParser {
    BOARDS.each_ref().map(|board| board.name).into()
}

/// Writes a firmware or a model to a board's flash, or tries it in the emulator.
///
/// # Errors
///
/// Where the file is neither or does not fit the board, and where the board, its probe or a program is missing or fails.
pub fn run(args: &Args) -> Result<(), Failure> {
    let board = Board::named(&args.board).ok_or_else(|| anyhow!("no board is called {}", args.board))?;
    if args.qemu {
        return Ok(emulate(args, board)?);
    }
    let Some(chip) = board.chip else {
        return Err(Failure::Usage(format!("{} is a board of the emulator's; add --qemu", board.name)));
    };
    Ok(flash(args, board, chip)?)
}

fn flash(args: &Args, board: &Board, chip: &str) -> anyhow::Result<()> {
    let image = Image::open(&args.file, board)?;
    note(format_args!("{}: {image}", args.file.display()));
    probe::write(&args.file, &image, chip, args.probe.as_deref())?;
    print(format_args!("{} has the {} and was reset", board.name, image.kind()))
}

/// Boots the file once, and lets the device test itself.
fn emulate(args: &Args, board: &'static Board) -> anyhow::Result<()> {
    let image = Image::open(&args.file, board)?;
    note(format_args!("{}: {image}", args.file.display()));
    let emulation = match image {
        Image::Firmware => Emulation { board, firmware: args.file.clone(), model: None, flash: None, log: None },
        Image::Model { .. } => Emulation::new(board, args.firmware.clone(), Some(args.file.clone()))?,
    };
    interrupt::catch();
    let mut client = Client::new(emulation.start()?, PATIENCE);
    client.synchronize()?;
    say(&mut client, &args.file, board, &image)
}

/// What the device says of itself.
fn say(client: &mut Client<Wire>, file: &Path, board: &Board, image: &Image) -> anyhow::Result<()> {
    let info = client.info()?;
    if info.board != board.name {
        bail!("the firmware is one for {}, expected one for {}", info.board, board.name);
    }
    print(format_args!("{} (QEMU) runs firmware {}", board.name, info.firmware))?;
    let Image::Model { crc32, .. } = image else { return Ok(()) };
    let model = match info.model {
        Some(model) if model.crc32 == format!("{crc32:08x}") => model,
        Some(model) => bail!("the device runs `{}`, crc32 {}, not {}", model.name, model.crc32, file.display()),
        None => bail!("the device refuses {}: {}", file.display(), info.model_error.unwrap_or_default()),
    };
    let test = client.request("@selftest")?;
    let (exact, golden) = (&test["exact"], &test["golden"]);
    print(format_args!("model `{}`: {exact} of {golden} golden texts exact", super::visible(&model.name)))?;
    if exact != golden {
        bail!("{}: the device computes something else than the host; please report this", file.display());
    }
    Ok(())
}

//! `tern flash`: writes a firmware or a model to a board, or tries it in the emulator.

mod image;
mod probe;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tern_boards::{BOARDS, Board};

use self::image::Image;
use super::{Failure, note, print};
use crate::display::visible;
use crate::link::{Client, Connection, Emulation, catch_interrupts};

/// Timeout for an emulated device to start and to run its golden examples.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `tern flash`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern flash --board nrf52840-dk firmware/target/boards/nrf52840-dk.elf
  tern flash --board nrf52840-dk spam.safetensors
  tern flash --board riscv32-virt --qemu spam.safetensors

A firmware (the ELF file that `cargo xtask firmware --board NAME` builds) is written to the addresses in it, a
model (a device file of `tern export`) to the board's first model slot. Then the board is reset. probe-rs does
the work and must be installed: https://probe.rs. With --qemu the file is put into an emulated flash, which is
lost when the command ends, and the device tests itself.")]
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
    /// Firmware for an emulated model [default: TERN_FIRMWARE, else the one that `cargo xtask firmware` built]
    #[arg(long, value_name = "ELF", requires = "qemu")]
    pub firmware: Option<PathBuf>,
    /// Debug probe, if there are several: VID:PID or VID:PID:SERIAL, as `probe-rs list` shows it
    #[arg(long, value_name = "PROBE", conflicts_with = "qemu")]
    pub probe: Option<String>,
}

fn names() -> clap::builder::PossibleValuesParser {
    BOARDS.each_ref().map(|board| board.name).into()
}

/// Writes a firmware or a model to a board's flash, or tries it in the emulator.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let board = Board::named(&args.board).with_context(|| format!("no board has the name {}", args.board))?;
    if args.qemu {
        return emulate(args, board);
    }
    let Some(chip) = board.chip else {
        bail!(Failure::Usage(format!("{} exists only in the emulator; add --qemu", board.name)));
    };
    flash(args, board, chip)
}

fn flash(args: &Args, board: &Board, chip: &str) -> anyhow::Result<()> {
    let image = Image::open(&args.file, board)?;
    note(format_args!("{}: {image}", args.file.display()));
    probe::write(&args.file, &image, chip, args.probe.as_deref())?;
    let (board, kind) = (board.name, image.kind());
    print(format_args!("{board} has the {kind} and was reset"))?;
    note(match image {
        Image::Firmware => format!("next: write a model\n  tern flash --board {board} device.safetensors"),
        Image::Model { .. } => "next: try it\n  tern console --port /dev/ttyACM0".to_owned(),
    });
    Ok(())
}

/// Starts the emulated board with the file, and lets the device test itself.
fn emulate(args: &Args, board: &'static Board) -> anyhow::Result<()> {
    let image = Image::open(&args.file, board)?;
    note(format_args!("{}: {image}", args.file.display()));
    let emulation = match image {
        Image::Firmware => Emulation { board, firmware: args.file.clone(), model: None, flash: None, log: None },
        Image::Model { .. } => Emulation::new(board, args.firmware.clone(), Some(args.file.clone()))?,
    };
    catch_interrupts();
    let mut client = Client::new(emulation.start()?, TIMEOUT);
    client.synchronize()?;
    test(&mut client, &args.file, board, &image)
}

/// Checks that the device runs the file, and runs its self-test.
fn test(client: &mut Client<Connection>, file: &Path, board: &Board, image: &Image) -> anyhow::Result<()> {
    let (path, info) = (file.display(), client.info()?);
    if info.board != board.name {
        bail!("the firmware is for the board {}, expected one for {}", info.board, board.name);
    }
    print(format_args!("{} (QEMU) runs firmware {}", board.name, info.firmware))?;
    let Image::Model { crc32, .. } = image else { return Ok(()) };
    let model = match info.model {
        Some(model) if model.crc32 == *crc32 => model,
        Some(model) => bail!("the device runs `{}`, crc32 {}, expected {path}, crc32 {crc32}", model.name, model.crc32),
        None => bail!("the device refuses {path}: {}", info.model_error.unwrap_or_default()),
    };
    let test = client.request("@selftest")?;
    let (exact, golden) = (&test["exact"], &test["golden"]);
    let name = visible(&model.name);
    print(format_args!("model `{name}`: {exact} of {golden} golden examples give their exact logits"))?;
    if exact != golden {
        bail!("{path}: the device computes other logits than this computer; please report this");
    }
    note(format_args!("next: try it\n  tern console {path} --qemu --board {}", board.name));
    Ok(())
}

//! `tern flash`: writes a firmware or a model to a board or into a UF2 file, or tries it in the emulator QEMU.
//!
//! The flash of a board holds the firmware and two model slots, the places for a device file. The first one is written
//! here; the second one is for updates (`tern push`).

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tern_boards::{BOARDS, Board, Chip, Slot};
use tern_runtime::file_len;

use super::{Failure, note, print, uf2};
use crate::checksum::crc32_hex;
use crate::device_file::DeviceFile;
use crate::display::visible;
use crate::link::{Client, Connection, Emulation, catch_interrupts};
use crate::package::Package;
use crate::write_file::write_file;

/// The first bytes of an ELF file.
const ELF: &[u8] = b"\x7fELF";
/// The program that writes to a chip through a debug probe.
const PROBE_RS: &str = "probe-rs";
/// The program that writes to a chip of Espressif at the serial port.
const ESPFLASH: &str = "espflash";

/// The time-out for an answer of the emulated device.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `tern flash`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern flash --board nrf52840-dk firmware/target/boards/nrf52840-dk.elf
  tern flash --board nrf52840-dk spam.safetensors
  tern flash --board esp32-c3 spam.safetensors
  tern flash --board riscv32-virt --qemu spam.safetensors
  tern flash --board pico --uf2 pico.uf2 spam.safetensors

A firmware (the ELF file that `cargo xtask firmware --board NAME` builds) is written to the addresses in it, a
model (a device file of `tern export`) to the board's first model slot. Then the board is reset. probe-rs does
the work and must be installed: https://probe.rs. For esp32-c3 it is espflash, at the serial port that it finds
or that ESPFLASH_PORT names. With --qemu the file is put into an emulated flash, which is lost when the command
ends; if it is a model, the device runs its self-test. With --uf2 nothing is written to a board: the firmware and,
if FILE is given, the model become one file to copy to the drive that a Pico shows when it is connected with its
button pressed.")]
pub struct Args {
    /// Firmware or device file; with --uf2 a device file or nothing
    #[arg(value_name = "FILE", required_unless_present = "uf2")]
    pub file: Option<PathBuf>,
    /// The board
    #[arg(long, value_name = "NAME", value_parser = board_names())]
    pub board: String,
    /// Try the file in the emulator
    #[arg(long)]
    pub qemu: bool,
    /// Write a UF2 file with the firmware and the model
    #[arg(long, value_name = "OUT", conflicts_with_all = ["qemu", "probe"])]
    pub uf2: Option<PathBuf>,
    /// Firmware for an emulated board or a UF2 file [default: TERN_FIRMWARE, else the one that `cargo xtask firmware`
    /// built]
    #[arg(long, value_name = "ELF", conflicts_with = "probe")]
    pub firmware: Option<PathBuf>,
    /// Debug probe, if there are several: VID:PID or VID:PID:SERIAL, as `probe-rs list` shows it
    #[arg(long, value_name = "PROBE", conflicts_with = "qemu")]
    pub probe: Option<String>,
}

fn board_names() -> clap::builder::PossibleValuesParser {
    BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().into()
}

/// Writes a firmware or a model to a board's flash or into a UF2 file, or tries it in the emulator.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let board = Board::named(&args.board).with_context(|| format!("no board has the name {}", args.board))?;
    if let Some(output) = &args.uf2 {
        return write_uf2(args, output, board);
    }
    let file = args.file.as_deref().context("FILE is missing, expected a firmware or a device file")?;
    if args.qemu {
        return emulate(args, file, board);
    }
    if args.firmware.is_some() {
        bail!(Failure::Usage("--firmware is for --qemu and --uf2; to write a firmware, name it as FILE".to_owned()));
    }
    let Some(chip) = board.chip else {
        bail!(Failure::Usage(format!("{} exists only in the emulator; add --qemu", board.name)));
    };
    let image = Image::open(file, board)?;
    note(format_args!("{}: {image}", file.display()));
    match chip {
        Chip::ProbeRs(chip) => write_with_probe(file, &image, chip, args.probe.as_deref())?,
        Chip::Espflash { .. } if args.probe.is_some() => bail!(Failure::Usage(format!(
            "--probe is for probe-rs; espflash writes to {} at a serial port, which ESPFLASH_PORT names",
            board.name
        ))),
        Chip::Espflash { name, flash_base } => write_with_espflash(file, &image, name, flash_base)?,
    }
    let (board_name, kind) = (board.name, image.kind());
    print(format_args!("{board_name} has the {kind} and was reset"))?;
    note(match image {
        Image::Firmware => format!("next: write a model\n  tern flash --board {board_name} device.safetensors"),
        Image::Model { .. } => "next: try it\n  tern console --port /dev/ttyACM0".to_owned(),
    });
    Ok(())
}

/// Writes a UF2 file with the firmware and, if one is given, a model.
fn write_uf2(args: &Args, output: &Path, board: &'static Board) -> anyhow::Result<()> {
    let model = match &args.file {
        None => None,
        Some(file) => {
            let image = Image::open(file, board)?;
            note(format_args!("{}: {image}", file.display()));
            if image == Image::Firmware {
                bail!(Failure::Usage(format!(
                    "{}: with --uf2 FILE is a model; give the firmware with --firmware",
                    file.display()
                )));
            }
            Some(std::fs::read(file).with_context(|| file.display().to_string())?)
        }
    };
    // Nothing is emulated: `Emulation::new` finds the firmware if --firmware is not given.
    let firmware = Emulation::new(board, args.firmware.clone(), None)?.firmware;
    let shown = firmware.display();
    let elf = std::fs::read(&firmware).with_context(|| shown.to_string())?;
    let bytes = uf2::file(&elf, model.as_deref(), board).with_context(|| shown.to_string())?;
    write_file(output, &bytes)?;
    let kind = if model.is_some() { "the firmware and the model" } else { "the firmware" };
    print(format_args!("{} has {kind} for {} in {} bytes", output.display(), board.name, bytes.len()))?;
    note("next: connect the board with its BOOTSEL button pressed, and copy the file to its drive");
    Ok(())
}

/// Starts the emulated board with the file. If the file is a model, runs the device's self-test.
fn emulate(args: &Args, file: &Path, board: &'static Board) -> anyhow::Result<()> {
    let image = Image::open(file, board)?;
    note(format_args!("{}: {image}", file.display()));
    let emulation = match image {
        Image::Firmware => Emulation { board, firmware: file.to_owned(), model: None, flash: None, log: None },
        Image::Model { .. } => Emulation::new(board, args.firmware.clone(), Some(file.to_owned()))?,
    };
    catch_interrupts();
    let mut client = Client::new(emulation.start()?, TIMEOUT);
    client.synchronize_after_start()?;
    check_device(&mut client, file, board, &image)
}

/// Checks that the firmware is for the board and, if `image` is a model, that the device runs it and that its self-test
/// passes.
fn check_device(client: &mut Client<Connection>, file: &Path, board: &Board, image: &Image) -> anyhow::Result<()> {
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
    let self_test = client.request("@selftest")?;
    let (exact, golden) = (&self_test["exact"], &self_test["golden"]);
    let name = visible(&model.name);
    print(format_args!(
        "model `{name}`: the device computes the stored logits of {exact} of {golden} golden examples"
    ))?;
    if exact != golden {
        bail!(
            "{path}: the device computes other logits than those in the file. Export the model again; if the self-test \
             still fails, please report this"
        );
    }
    note(format_args!("next: try it\n  tern console {path} --qemu --board {}", board.name));
    Ok(())
}

/// The kind of the file to write, determined from its content.
#[derive(Debug, PartialEq, Eq)]
enum Image {
    /// An ELF file, which contains the addresses to write to.
    Firmware,
    /// A device file, signed or not.
    Model {
        /// The board's first model slot, which the file is written to.
        slot: Slot,
        /// The length of the device file, without its signature trailer.
        bytes: usize,
        /// The CRC-32 of the device file, as the device prints it.
        crc32: String,
    },
}

impl Image {
    /// Reads a file and determines its kind. Fails if it is neither an ELF file nor a device file that a device would
    /// run, or if a device file with its signature trailer is larger than the board's slot. The content of an ELF file
    /// is not checked.
    fn open(path: &Path, board: &Board) -> anyhow::Result<Image> {
        let shown = path.display();
        let bytes = std::fs::read(path).with_context(|| shown.to_string())?;
        if bytes.starts_with(ELF) {
            return Ok(Image::Firmware);
        }
        // `file_len` gives the length of the device file by its header. The bytes after it may be a signature trailer.
        let is_device_file = file_len(&bytes).is_ok_and(|length| length <= bytes.len());
        if !is_device_file {
            bail!("{shown}: expected a firmware (an ELF file) or a device file of `tern export`; it is neither");
        }
        // A package is a device file with or without a signature trailer.
        let package = Package::read(&bytes).with_context(|| shown.to_string())?;
        // Only checks the file: fails if the device would refuse it.
        DeviceFile::from_bytes(package.device_file).with_context(|| shown.to_string())?;
        let slot = board.slot;
        if bytes.len() > slot.bytes as usize {
            let (found, expected) = (bytes.len(), slot.bytes);
            bail!("{shown}: {found} bytes, the model slot of {} has {expected}; export a smaller model", board.name);
        }
        Ok(Image::Model { slot, bytes: package.device_file.len(), crc32: crc32_hex(package.device_file) })
    }

    /// Returns the kind in one word, for messages.
    fn kind(&self) -> &'static str {
        match self {
            Image::Firmware => "firmware",
            Image::Model { .. } => "model",
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Image::Firmware => f.write_str("a firmware"),
            Image::Model { slot, bytes, crc32 } => {
                write!(f, "a model of {bytes} bytes, crc32 {crc32}, for the slot at {:#010x}", slot.address)
            }
        }
    }
}

/// Writes the file to the chip with probe-rs, verifies it, and resets the chip. `probe`: the selector of the probe;
/// `None` if there is only one.
fn write_with_probe(file: &Path, image: &Image, chip: &str, probe: Option<&str>) -> anyhow::Result<()> {
    // This is called even if a probe is named, because its error explains how to install probe-rs if it is missing.
    let is_connected = is_probe_connected()?;
    if probe.is_none() && !is_connected {
        bail!(
            "probe-rs finds no debug probe: connect the board's debugger by USB (on Linux, its udev rules give you access: \
             https://probe.rs/docs/getting-started/probe-setup), and check that no other program uses it"
        );
    }
    let probe_rs = |subcommand: &str| {
        let mut command = Command::new(PROBE_RS);
        command.args([subcommand, "--non-interactive", "--chip", chip]);
        if let Some(probe) = probe {
            command.args(["--probe", probe]);
        }
        command
    };
    let mut download = probe_rs("download");
    match image {
        Image::Firmware => download.args(["--binary-format", "elf"]),
        Image::Model { slot, .. } => {
            download.args(["--binary-format", "bin", "--base-address"]).arg(format!("{:#010x}", slot.address))
        }
    };
    run_program(download.arg("--verify").arg(file))?;
    run_program(&mut probe_rs("reset"))
}

/// Writes the file to the chip at its serial port with espflash, and resets the chip. `flash_base`: the address of the
/// first byte of the flash.
fn write_with_espflash(file: &Path, image: &Image, chip: &str, flash_base: u32) -> anyhow::Result<()> {
    let mut command = Command::new(ESPFLASH);
    let subcommand = match image {
        Image::Firmware => "flash",
        Image::Model { .. } => "write-bin",
    };
    command.args([subcommand, "--non-interactive", "--chip", chip]);
    if let Image::Model { slot, .. } = image {
        // espflash takes an offset in the flash, not an address.
        command.arg(format!("{:#x}", slot.address - flash_base));
    }
    run_program(command.arg(file))
}

/// Returns true if `probe-rs list` prints a debug probe. Fails if probe-rs is not installed or fails.
fn is_probe_connected() -> anyhow::Result<bool> {
    let output = Command::new(PROBE_RS).arg("list").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "probe-rs, which writes to a board's flash, was not found in PATH; install it with \
             `cargo install --locked probe-rs-tools` or as described at https://probe.rs. --qemu does not need it"
        ),
        Err(error) => return Err(error).context("probe-rs does not start"),
    };
    if !output.status.success() {
        bail!("`probe-rs list` failed ({}); see its messages above", output.status);
    }
    // Each probe has a line such as `[0]: J-Link -- 1366:1015:000683339517 (J-Link)`.
    Ok(String::from_utf8_lossy(&output.stdout).lines().any(|line| line.trim_start().starts_with('[')))
}

/// Prints a command of probe-rs or espflash and runs it. Fails if the program is not installed or its exit status is
/// not 0.
fn run_program(command: &mut Command) -> anyhow::Result<()> {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line += " ";
        line += &argument.to_string_lossy();
    }
    note(format_args!("$ {line}"));
    // The output of the program goes to stderr, since stdout is for the result of `tern flash`.
    let status = match command.stdin(Stdio::null()).stdout(std::io::stderr()).status() {
        Ok(status) => status,
        // `is_probe_connected` has reported a missing probe-rs before.
        Err(error) if error.kind() == ErrorKind::NotFound && command.get_program() == ESPFLASH => bail!(
            "espflash, which writes to the flash of this board, was not found in PATH; install it with \
             `cargo install --locked espflash`"
        ),
        Err(error) => {
            return Err(error).with_context(|| format!("{} does not start", command.get_program().display()));
        }
    };
    if !status.success() {
        bail!("`{line}` failed ({status}); see its messages above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::testing::{Sizes, random_file};

    fn board(name: &str) -> &'static Board {
        Board::named(name).unwrap()
    }

    #[test]
    fn a_file_is_a_firmware_or_a_model_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let open = |bytes: &[u8], name| {
            std::fs::write(&path, bytes).unwrap();
            Image::open(&path, board(name)).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(open(b"\x7fELF...", "pico2"), Ok(Image::Firmware));
        let (seed, shift) = (1, "2");
        let model = random_file(seed, Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 }, shift);
        let expected = Image::Model { slot: board("pico2").slot, bytes: model.len(), crc32: crc32_hex(&model) };
        assert_eq!(open(&model, "pico2"), Ok(expected));
        for other_file in [&b""[..], b"text,label\n", &model[..model.len() - 1]] {
            let error = open(other_file, "pico2").unwrap_err();
            assert!(error.contains("expected a firmware (an ELF file) or a device file"), "{error}");
        }
        let error = open(&[&model[..], b"more"].concat(), "pico2").unwrap_err();
        assert!(error.contains(&format!("the model ends after {}", model.len())), "{error}");
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let version = 3;
        let signed = crate::package::sign(&model, version, &key);
        let expected = Image::Model { slot: board("pico2").slot, bytes: model.len(), crc32: crc32_hex(&model) };
        assert_eq!(open(&signed, "pico2"), Ok(expected));
        let sizes = Sizes { embedding_dim: 128, hidden_size: 256, classes: 3 };
        let error = open(&random_file(seed, sizes, shift), "netduinoplus2").unwrap_err();
        assert!(error.contains("the model slot of netduinoplus2 has 262144"), "{error}");
    }

    #[test]
    fn a_board_that_exists_only_in_the_emulator_is_not_flashed() {
        let file = Some("m".into());
        let board = "mps2-an386".to_owned();
        let args = Args { file, board, qemu: false, uf2: None, firmware: None, probe: None };
        let error = run(&args).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Failure::Usage(_))), "{error:?}");
        assert_eq!(error.to_string(), "mps2-an386 exists only in the emulator; add --qemu");
    }
}

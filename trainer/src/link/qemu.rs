//! Devices that QEMU emulates: the command line of the emulator, and the checks of its files.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tern_boards::{BOARDS, Board, Emulator};

use super::connection::{Connection, Kind};
use super::firmware;
use super::process::Process;
use super::transport::OpenError;
use crate::write_file::write_file;

/// QEMU runs with `-icount shift=6`: one instruction takes 2^6 ns.
const ICOUNT_SHIFT: u32 = 6;
/// Nanoseconds of emulated time that one instruction takes.
pub const INSTRUCTION_NS: u32 = 1 << ICOUNT_SHIFT;

/// An emulated board, its firmware and its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// The board.
    pub board: &'static Board,
    /// ELF file of the firmware.
    pub firmware: PathBuf,
    /// Device file that is loaded into the model slot; `None` leaves the slot as it is in `flash`, or empty.
    pub model: Option<PathBuf>,
    /// File that keeps the board's flash, created if it is missing. `None`: the flash is lost when the emulator ends.
    pub flash: Option<PathBuf>,
    /// File for the firmware's defmt log; `None` for no log.
    pub log: Option<PathBuf>,
}

impl Emulation {
    /// Creates an emulation without flash file and log. `firmware`: the ELF file; `None` for the one that the
    /// environment variable TERN_FIRMWARE names, or else one that was built or installed. Fails if there is none.
    pub fn new(
        board: &'static Board,
        firmware: Option<PathBuf>,
        model: Option<PathBuf>,
    ) -> Result<Emulation, OpenError> {
        Ok(Emulation { board, firmware: firmware::find(firmware, board)?, model, flash: None, log: None })
    }

    /// Returns the emulator of the board. The error lists the emulated boards.
    fn emulator(&self) -> Result<&'static Emulator, OpenError> {
        self.board.emulator.as_ref().ok_or_else(|| {
            let emulated = BOARDS.iter().filter(|board| board.emulator.is_some()).map(|board| board.name);
            OpenError::Unsupported(format!(
                "QEMU does not emulate the board {}; flash it and use --port. QEMU emulates {}",
                self.board.name,
                emulated.collect::<Vec<_>>().join(", ")
            ))
        })
    }

    /// Returns QEMU's command line options.
    fn arguments(&self, emulator: &Emulator) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-M".into(), emulator.machine.into()];
        arguments.extend(emulator.arguments.iter().map(OsString::from));
        arguments.extend(["-display", "none", "-monitor", "none", "-icount"].map(OsString::from));
        arguments.push(format!("shift={ICOUNT_SHIFT}").into());
        let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        // The first serial port is the console, the second one the log.
        option("-serial", "stdio".into());
        if emulator.has_log {
            option("-serial", self.log.as_ref().map_or("null".into(), |path| joined("file:", path.as_os_str())));
        }
        match &self.flash {
            None => option("-kernel", self.firmware.clone().into()),
            Some(flash) => {
                // With a file for this bank of flash QEMU does not load a kernel, so the loader device loads the
                // firmware.
                option("-device", joined("loader,file=", &with_doubled_commas(&self.firmware)));
                option("-drive", joined("if=pflash,unit=1,format=raw,file=", &with_doubled_commas(flash)));
            }
        }
        if let Some(model) = &self.model {
            let mut loader = joined("loader,file=", &with_doubled_commas(model));
            loader.push(format!(",addr={:#010x},force-raw=on", self.board.slot.address));
            option("-device", loader);
        }
        arguments
    }

    /// Returns a line for the user with the command that shows the log; `None` if no log is written.
    pub fn log_hint(&self) -> Option<String> {
        let log = self.log.as_ref()?.display();
        let firmware = self.firmware.display();
        Some(format!("the firmware's log: defmt-print -e {firmware} < {log}    (cargo install --locked defmt-print)"))
    }

    /// Starts the emulator and returns a connection to its console. Fails if QEMU is missing, does not emulate the
    /// board, or a file is missing or does not suit the board.
    pub fn start(&self) -> Result<Connection, OpenError> {
        let emulator = self.emulator()?;
        let program = emulator.program;
        self.check(emulator)?;
        let mut command = Command::new(program);
        command.args(self.arguments(emulator)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to the whole process group; the emulator must run until the connection is closed.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => OpenError::NoQemu { program, package: emulator.package },
            _ => OpenError::Qemu { program, error },
        })?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let process = Process::new(program, child);
        let Some((stdin, stdout)) = pipes else {
            return Err(OpenError::Qemu { program, error: ErrorKind::BrokenPipe.into() });
        };
        Ok(Connection::new(format!("QEMU {}", self.board.name), Kind::Emulated, stdout, stdin).with_process(process))
    }

    /// Checks the files and the options before QEMU is started, since its own messages do not name the cause.
    fn check(&self, emulator: &Emulator) -> Result<(), OpenError> {
        let Board { name: board, slot, .. } = self.board;
        let unsupported = |text| Err(OpenError::Unsupported(text));
        if self.log.is_some() && !emulator.has_log {
            return unsupported(format!("the emulated {board} has one serial port only and no log; leave --log out"));
        }
        let length = |path: &PathBuf, kind| match fs::File::open(path).and_then(|file| file.metadata()) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(OpenError::File { path: path.clone(), kind, error }),
        };
        // Checks only that the file can be opened.
        length(&self.firmware, "firmware")?;
        if let Some(other) = self.other_board() {
            return unsupported(format!(
                "{}: the firmware is for the board {other}, expected one for {board}; add `--board {other}`, or build \
                 the other with `cargo xtask firmware --board {board}`",
                self.firmware.display()
            ));
        }
        if let Some(path) = &self.flash {
            let Some(bytes) = emulator.flash else {
                return unsupported(format!(
                    "the emulated {board} has no flash that can be kept in a file; leave --flash out, or use --board \
                     riscv32-virt"
                ));
            };
            ensure_flash(path, bytes)?;
        }
        let Some(model) = &self.model else { return Ok(()) };
        let (found, expected) = (length(model, "model")?, slot.bytes);
        if found > expected.into() {
            let model = model.display();
            return unsupported(format!(
                "{model}: {found} bytes, the model slot of {board} has {expected}; export a smaller model"
            ));
        }
        Ok(())
    }

    /// Returns the name of the board that the firmware is built for, if that is another known board. A firmware
    /// contains the name of its board; on another board it crashes.
    fn other_board(&self) -> Option<&'static str> {
        let elf = fs::read(&self.firmware).unwrap_or_default();
        let contains = |board: &&Board| elf.windows(board.name.len()).any(|bytes| bytes == board.name.as_bytes());
        if contains(&self.board) {
            return None;
        }
        BOARDS.iter().find(contains).map(|board| board.name)
    }
}

/// Creates a file of erased flash (0xff) with the length `bytes` if it is missing, and checks its length otherwise.
fn ensure_flash(path: &Path, bytes: u32) -> Result<(), OpenError> {
    let failed = |error| OpenError::File { path: path.to_owned(), kind: "flash", error };
    match fs::metadata(path) {
        Ok(file) if file.len() == u64::from(bytes) => Ok(()),
        Ok(file) => Err(OpenError::Unsupported(format!(
            "{}: {} bytes, expected the {bytes} bytes of an emulated flash; name a file that does not exist yet",
            path.display(),
            file.len()
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_file(path, &vec![0xff; bytes as usize]).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Returns an option's value that consists of `prefix` and a path.
fn joined(prefix: &str, path: &OsStr) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}

/// Returns a path with its commas doubled: in an option's value, QEMU ends the path at a single comma.
fn with_doubled_commas(path: &Path) -> OsString {
    let text = path.as_os_str();
    text.to_str().map_or_else(|| text.to_owned(), |text| text.replace(',', ",,").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emulation(board: &str) -> Emulation {
        let board = Board::named(board).unwrap();
        Emulation {
            board,
            firmware: "fw.elf".into(),
            model: Some("a,b/m.safetensors".into()),
            flash: None,
            log: Some("x,y.bin".into()),
        }
    }

    fn line(emulation: &Emulation) -> String {
        let arguments = emulation.arguments(emulation.emulator().unwrap());
        arguments.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn qemu_gets_the_options_of_the_board() {
        assert_eq!(
            line(&emulation("mps2-an386")),
            "-M mps2-an386 -display none -monitor none -icount shift=6 -serial stdio -serial file:x,y.bin -kernel \
             fw.elf -device loader,file=a,,b/m.safetensors,addr=0x00200000,force-raw=on"
        );
        let without_model = Emulation { model: None, log: None, ..emulation("riscv32-virt") };
        assert_eq!(
            line(&without_model),
            "-M virt -bios none -display none -monitor none -icount shift=6 -serial stdio -kernel fw.elf"
        );
        let kept = Emulation { flash: Some("my,flash".into()), ..without_model };
        let end = " -serial stdio -device loader,file=fw.elf -drive if=pflash,unit=1,format=raw,file=my,,flash";
        assert!(line(&kept).ends_with(end), "{}", line(&kept));
    }

    #[test]
    fn options_that_a_board_does_not_have_are_refused() {
        let firmware = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let kept = Emulation {
            firmware: firmware.to_path_buf(),
            flash: Some("flash".into()),
            log: None,
            ..emulation("mps2-an386")
        };
        for (emulation, parts) in [
            (emulation("pico2"), &["QEMU does not emulate the board pico2;", "netduinoplus2"][..]),
            (emulation("riscv32-virt"), &["leave --log out"]),
            (kept, &["mps2-an386 has no flash that can be kept", "riscv32-virt"]),
        ] {
            let error = emulation.start().err().unwrap().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn files_are_checked_before_qemu_starts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let board = tern_boards::DEFAULT;
        let emulation = Emulation { board, firmware: path("f"), model: Some(path("m")), flash: None, log: None };
        assert!(matches!(emulation.start(), Err(OpenError::File { kind: "firmware", .. })));
        std::fs::write(path("f"), "").unwrap();
        assert!(matches!(emulation.start(), Err(OpenError::File { kind: "model", .. })));
        std::fs::write(path("m"), vec![0; 0x0018_0001]).unwrap();
        let error = emulation.start().err().unwrap().to_string();
        assert!(error.contains("1572865 bytes, the model slot of mps2-an386 has 1572864"), "{error}");
    }

    #[test]
    fn firmware_of_another_board_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let firmware = folder.path().join("fw.elf");
        std::fs::write(&firmware, b"\x7fELF \0mps2-an386\0").unwrap();
        let emulation = Emulation { firmware, model: None, log: None, ..emulation("riscv32-virt") };
        let error = emulation.start().err().unwrap().to_string();
        assert!(
            error.contains("for the board mps2-an386, expected one for riscv32-virt; add `--board mps2-an386`"),
            "{error}"
        );
    }

    #[test]
    fn erased_flash_is_made_and_kept_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash");
        ensure_flash(&path, 70_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), vec![0xff; 70_000]);
        fs::write(&path, vec![7; 70_000]).unwrap();
        ensure_flash(&path, 70_000).unwrap();
        assert_eq!(fs::read(&path).unwrap()[0], 7);
        let error = ensure_flash(&path, 70_001).unwrap_err().to_string();
        assert!(error.contains("70000 bytes, expected the 70001 bytes of an emulated flash"), "{error}");
    }
}

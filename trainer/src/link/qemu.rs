//! Devices that QEMU emulates.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tern_boards::{BOARDS, Board, Emulator};

use super::{Connection, OpenError, firmware};
use crate::write_file::write_file;

/// QEMU runs with `-icount shift=6`: one instruction takes 2^6 ns.
const SHIFT: u32 = 6;
/// Nanoseconds of emulated time that one instruction takes.
pub const INSTRUCTION_NS: u32 = 1 << SHIFT;

/// An emulated board, its firmware and its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// The board.
    pub board: &'static Board,
    /// ELF file of the firmware.
    pub firmware: PathBuf,
    /// Device file to load into the model slot; `None` leaves the slot empty.
    pub model: Option<PathBuf>,
    /// File that keeps the board's flash, made if it is missing; without it the flash is lost when the emulator ends.
    pub flash: Option<PathBuf>,
    /// File for the firmware's defmt log.
    pub log: Option<PathBuf>,
}

impl Emulation {
    /// A board with the given firmware, or with the one that [`firmware::find`] returns.
    ///
    /// # Errors
    /// [`OpenError`] if there is no firmware.
    pub fn new(
        board: &'static Board,
        firmware: Option<PathBuf>,
        model: Option<PathBuf>,
    ) -> Result<Emulation, OpenError> {
        Ok(Emulation { board, firmware: firmware::find(firmware, board)?, model, flash: None, log: None })
    }

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

    /// QEMU's command line options.
    fn arguments(&self, emulator: &Emulator) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-M".into(), emulator.machine.into()];
        arguments.extend(emulator.arguments.iter().map(OsString::from));
        arguments.extend(["-display", "none", "-monitor", "none", "-icount"].map(OsString::from));
        arguments.push(format!("shift={SHIFT}").into());
        arguments.extend(["-serial", "stdio"].map(OsString::from));
        if emulator.has_log {
            let mut log = OsString::from("null");
            if let Some(path) = &self.log {
                log = OsString::from("file:");
                log.push(path);
            }
            arguments.extend(["-serial".into(), log]);
        }
        if let Some(flash) = &self.flash {
            // With this bank of flash QEMU does not load a kernel, so the firmware is loaded as a device.
            let mut program = OsString::from("loader,file=");
            program.push(with_doubled_commas(&self.firmware));
            arguments.extend(["-device".into(), program]);
            let mut drive = OsString::from("if=pflash,unit=1,format=raw,file=");
            drive.push(with_doubled_commas(flash));
            arguments.extend(["-drive".into(), drive]);
        } else {
            arguments.extend(["-kernel".into(), self.firmware.clone().into_os_string()]);
        }
        if let Some(model) = &self.model {
            // In this option a comma ends the path, and a doubled comma is part of it.
            let mut loader = OsString::from("loader,file=");
            loader.push(with_doubled_commas(model));
            loader.push(format!(",addr={:#010x},force-raw=on", self.board.slot.address));
            arguments.extend(["-device".into(), loader]);
        }
        arguments
    }

    /// The command that shows the log, if one is written.
    pub fn log_hint(&self) -> Option<String> {
        let log = self.log.as_ref()?.display();
        let firmware = self.firmware.display();
        Some(format!("the firmware's log: defmt-print -e {firmware} < {log}    (cargo install --locked defmt-print)"))
    }

    /// Starts the emulator.
    ///
    /// # Errors
    /// [`OpenError`] if a file is missing or does not fit, or QEMU is not installed.
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
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Process { program, child, errors: Arc::default() };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(OpenError::Qemu { program, error: ErrorKind::BrokenPipe.into() });
        };
        process.collect_errors(stderr);
        Ok(Connection::new(format!("QEMU {}", self.board.name), stdout, stdin).with_process(process))
    }

    /// Checks the files and the options before QEMU is started, since its own messages do not help.
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
        length(&self.firmware, "firmware")?;
        if let Some(path) = &self.flash {
            let Some(bytes) = emulator.flash else {
                return unsupported(format!(
                    "the emulated {board} has no flash that can be kept in a file; leave --flash out, or use --board riscv32-virt"
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
}

/// Makes a file of erased flash if it is missing, and checks its length otherwise.
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

/// A path with its commas doubled, as QEMU wants it inside an option's value.
fn with_doubled_commas(path: &Path) -> OsString {
    let text = path.as_os_str();
    text.to_str().map_or_else(|| text.to_owned(), |text| text.replace(',', ",,").into())
}

/// QEMU's process. Dropping it kills the process.
pub(super) struct Process {
    program: &'static str,
    child: Child,
    errors: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Collects what QEMU writes to stderr, for [`Process::end_reason`].
    fn collect_errors(&self, mut stderr: impl Read + Send + 'static) {
        let errors = Arc::clone(&self.errors);
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                let Ok(mut kept) = errors.lock() else { return };
                // The first error is the one that explains.
                if kept.len() < 4096 {
                    kept.extend_from_slice(&buffer[..count]);
                }
            }
        });
    }

    /// The reason why QEMU ended; waits up to a second for its end.
    pub(super) fn end_reason(&mut self) -> String {
        let program = self.program;
        let status = match self.wait_briefly() {
            Some(status) => format!("{program} ended ({status})"),
            None => format!("{program} closed its console"),
        };
        let errors = self.errors.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned());
        // Further lines may list every register.
        match errors.unwrap_or_default().trim().lines().next() {
            Some(reason) => format!("{status}: {reason}"),
            None => status,
        }
    }

    fn wait_briefly(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < Duration::from_secs(1) => thread::sleep(Duration::from_millis(10)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
            "-M mps2-an386 -display none -monitor none -icount shift=6 -serial stdio -serial file:x,y.bin -kernel fw.elf \
             -device loader,file=a,,b/m.safetensors,addr=0x00200000,force-raw=on"
        );
        let without_model = Emulation { model: None, log: None, ..emulation("riscv32-virt") };
        assert_eq!(
            line(&without_model),
            "-M virt -bios none -display none -monitor none -icount shift=6 -serial stdio -kernel fw.elf"
        );
        let kept = Emulation { flash: Some("my,flash".into()), ..without_model };
        assert!(
            line(&kept).ends_with(
                " -serial stdio -device loader,file=fw.elf -drive if=pflash,unit=1,format=raw,file=my,,flash"
            )
        );
    }

    #[test]
    fn options_that_a_board_does_not_have_are_refused() {
        let error = emulation("pico2").start().err().unwrap().to_string();
        assert!(
            error.starts_with("QEMU does not emulate the board pico2;") && error.contains("netduinoplus2"),
            "{error}"
        );
        let error = emulation("riscv32-virt").start().err().unwrap().to_string();
        assert!(error.contains("leave --log out"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let firmware = folder.path().join("fw.elf");
        std::fs::write(&firmware, "").unwrap();
        let kept = Emulation { firmware, flash: Some("flash".into()), log: None, ..emulation("mps2-an386") };
        let error = kept.start().err().unwrap().to_string();
        assert!(
            error.contains("mps2-an386 has no flash that can be kept") && error.contains("riscv32-virt"),
            "{error}"
        );
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

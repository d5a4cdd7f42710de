//! A device that QEMU emulates.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tern_boards::{BOARDS, Board, Emulator};

use super::{OpenError, Wire, firmware, flash};

/// `-icount shift=6`: an instruction takes 2^6 ns.
const SHIFT: u32 = 6;
/// Nanoseconds that an instruction takes in the emulator.
pub const INSTRUCTION_NS: u32 = 1 << SHIFT;

/// What the emulator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// The machine.
    pub board: &'static Board,
    /// ELF file of the firmware.
    pub firmware: PathBuf,
    /// The device file, put where a flasher would put it. None: the slot is empty.
    pub model: Option<PathBuf>,
    /// The file that the board's flash is kept in; it is made where it is missing. None: the flash ends with the emulator.
    pub flash: Option<PathBuf>,
    /// Where the firmware's defmt channel goes.
    pub log: Option<PathBuf>,
}

impl Emulation {
    /// The board with this firmware or, where none is named, the one that was built in the current folder or one above.
    ///
    /// # Errors
    /// [`OpenError`] if there is no firmware.
    pub fn new(
        board: &'static Board,
        firmware: Option<PathBuf>,
        model: Option<PathBuf>,
    ) -> Result<Emulation, OpenError> {
        let here = std::env::current_dir().unwrap_or_default();
        let named = firmware.or_else(firmware::in_environment);
        Ok(Emulation { board, firmware: firmware::find(named, board, &here)?, model, flash: None, log: None })
    }

    /// The machine.
    fn emulator(&self) -> Result<&'static Emulator, OpenError> {
        self.board.emulator.as_ref().ok_or_else(|| {
            let emulated = BOARDS.iter().filter(|board| board.emulator.is_some()).map(|board| board.name);
            OpenError::NotEmulated { board: self.board.name, emulated: emulated.collect::<Vec<_>>().join(", ") }
        })
    }

    /// The emulator's options.
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
            // Beside this bank of flash, QEMU takes a kernel for somebody else's and does not load it.
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
            // In this option, unlike in the others, a comma ends the path; a doubled one does not.
            let mut loader = OsString::from("loader,file=");
            loader.push(with_doubled_commas(model));
            loader.push(format!(",addr={:#010x},force-raw=on", self.board.slot.address));
            arguments.extend(["-device".into(), loader]);
        }
        arguments
    }

    /// How a person reads the log, if there is one.
    pub fn log_hint(&self) -> Option<String> {
        let log = self.log.as_ref()?.display();
        let firmware = self.firmware.display();
        Some(format!("the firmware's log: defmt-print -e {firmware} < {log}    (cargo install --locked defmt-print)"))
    }

    /// Starts the emulator.
    ///
    /// # Errors
    /// [`OpenError`] if a file is missing or does not fit, or QEMU is not there.
    pub fn start(&self) -> Result<Wire, OpenError> {
        let emulator = self.emulator()?;
        let program = emulator.program;
        self.check(emulator)?;
        let mut command = Command::new(program);
        command.args(self.arguments(emulator)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to the whole process group; the emulator must outlive it until we have left.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => OpenError::NoQemu { program, package: emulator.package },
            _ => OpenError::Qemu { program, error },
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Process { program, child, complaints: Arc::default() };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(OpenError::Qemu { program, error: ErrorKind::BrokenPipe.into() });
        };
        process.listen(stderr);
        Ok(Wire::new(format!("QEMU {}", self.board.name), stdout, stdin).with_process(process))
    }

    fn check(&self, emulator: &Emulator) -> Result<(), OpenError> {
        let Board { name: board, slot, .. } = self.board;
        if self.log.is_some() && !emulator.has_log {
            return Err(OpenError::NoLog { board });
        }
        let file = |path: &PathBuf, what| {
            std::fs::File::open(path).and_then(|file| file.metadata()).map_err(|error| OpenError::File {
                path: path.clone(),
                what,
                error,
            })
        };
        file(&self.firmware, "firmware")?;
        if let Some(path) = &self.flash {
            let bytes = emulator.flash.ok_or(OpenError::NoFlash { board })?;
            flash::ensure(path, bytes)?;
        }
        let Some(model) = &self.model else { return Ok(()) };
        let (found, expected) = (file(model, "model")?.len(), u64::from(slot.bytes));
        if found > expected {
            return Err(OpenError::ModelTooLarge { path: model.clone(), found, expected, board });
        }
        Ok(())
    }
}

/// As QEMU wants commas within a value.
fn with_doubled_commas(path: &Path) -> OsString {
    let text = path.as_os_str();
    match text.to_str() {
        Some(text) => text.replace(',', ",,").into(),
        None => text.to_owned(),
    }
}

/// The emulator's process. It is killed when dropped.
pub(super) struct Process {
    program: &'static str,
    child: Child,
    complaints: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    fn listen(&self, mut stderr: impl Read + Send + 'static) {
        let complaints = Arc::clone(&self.complaints);
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                let Ok(mut kept) = complaints.lock() else { return };
                // The first complaint is the one that explains.
                if kept.len() < 4096 {
                    kept.extend_from_slice(&buffer[..count]);
                }
            }
        });
    }

    /// Why the emulator ended; waits a little for that.
    pub(super) fn last_words(&mut self) -> String {
        let program = self.program;
        let status = match self.wait_briefly() {
            Some(status) => format!("{program} ended ({status})"),
            None => format!("{program} closed its console"),
        };
        let complaints = self.complaints.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned());
        // After the reason it may list every register.
        match complaints.unwrap_or_default().trim().lines().next() {
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
        // Both fail only where it has ended already.
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
    fn command_lines() {
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
    fn what_an_emulator_has_not() {
        let error = emulation("pico2").start().err().unwrap().to_string();
        assert!(error.starts_with("no emulator has the board pico2;") && error.contains("netduinoplus2"), "{error}");
        let error = emulation("riscv32-virt").start().err().unwrap().to_string();
        assert!(error.contains("leave --log out"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let firmware = folder.path().join("fw.elf");
        std::fs::write(&firmware, "").unwrap();
        let kept = Emulation { firmware, flash: Some("flash".into()), log: None, ..emulation("mps2-an386") };
        let error = kept.start().err().unwrap().to_string();
        assert!(
            error.contains("mps2-an386 has no flash that outlasts it") && error.contains("riscv32-virt"),
            "{error}"
        );
    }

    #[test]
    fn files_are_checked_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let board = tern_boards::DEFAULT;
        let emulation = Emulation { board, firmware: path("f"), model: Some(path("m")), flash: None, log: None };
        assert!(matches!(emulation.start(), Err(OpenError::File { what: "firmware", .. })));
        std::fs::write(path("f"), "").unwrap();
        assert!(matches!(emulation.start(), Err(OpenError::File { what: "model", .. })));
        std::fs::write(path("m"), vec![0; 0x0018_0001]).unwrap();
        let error = emulation.start().err().unwrap().to_string();
        assert!(error.contains("1572865 bytes, the model slot of mps2-an386 holds 1572864"), "{error}");
    }
}

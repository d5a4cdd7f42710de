//! A device that QEMU emulates.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{OpenError, Wire};

/// `-icount shift=6`: an instruction takes 2^6 ns.
const SHIFT: u32 = 6;

/// A board that QEMU knows and the firmware runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Board {
    /// Arm's MPS2 with a Cortex-M4F.
    #[default]
    #[value(name = "mps2-an386")]
    Mps2An386,
}

impl Board {
    /// QEMU's name of the machine.
    pub fn machine(self) -> &'static str {
        match self {
            Board::Mps2An386 => "mps2-an386",
        }
    }

    /// Where a model lies.
    fn slot(self) -> Slot {
        match self {
            Board::Mps2An386 => Slot { address: 0x0020_0000, bytes: 0x0020_0000 },
        }
    }

    /// Nanoseconds that an instruction takes in the emulator.
    pub fn instruction_ns(self) -> u32 {
        1 << SHIFT
    }
}

struct Slot {
    address: u32,
    bytes: u64,
}

/// What the emulator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulation {
    /// The machine.
    pub board: Board,
    /// ELF file of the firmware.
    pub firmware: PathBuf,
    /// The device file, put where a flasher would put it.
    pub model: PathBuf,
    /// Where the firmware's defmt channel goes.
    pub log: Option<PathBuf>,
}

impl Emulation {
    /// The emulator's options.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut log = OsString::from("null");
        if let Some(path) = &self.log {
            log = OsString::from("file:");
            log.push(path);
        }
        // In this option, unlike in the others, a comma ends the path; a doubled one does not.
        let mut loader = OsString::from("loader,file=");
        loader.push(with_doubled_commas(&self.model));
        loader.push(format!(",addr={:#010x},force-raw=on", self.board.slot().address));
        let fixed = ["-M", self.board.machine(), "-display", "none", "-monitor", "none", "-icount"];
        let mut arguments: Vec<OsString> = fixed.iter().map(OsString::from).collect();
        arguments.push(format!("shift={SHIFT}").into());
        arguments.extend(["-serial".into(), "stdio".into(), "-serial".into(), log]);
        arguments.extend(["-kernel".into(), self.firmware.clone().into_os_string(), "-device".into(), loader]);
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
        self.check()?;
        let mut command = Command::new("qemu-system-arm");
        command.args(self.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to the whole process group; the emulator must outlive it until we have left.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => OpenError::NoQemu,
            _ => OpenError::Qemu(error),
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Process { child, complaints: Arc::default() };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(OpenError::Qemu(ErrorKind::BrokenPipe.into()));
        };
        process.listen(stderr);
        Ok(Wire::new(format!("QEMU {}", self.board.machine()), stdout, stdin).with_process(process))
    }

    fn check(&self) -> Result<(), OpenError> {
        let slot = self.board.slot();
        let file = |path: &PathBuf, what| {
            std::fs::File::open(path).and_then(|file| file.metadata()).map_err(|error| OpenError::File {
                path: path.clone(),
                what,
                error,
            })
        };
        file(&self.firmware, "firmware")?;
        let found = file(&self.model, "model")?.len();
        if found > slot.bytes {
            let (path, board) = (self.model.clone(), self.board.machine());
            return Err(OpenError::ModelTooLarge { path, found, expected: slot.bytes, board });
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
        let status = match self.wait_briefly() {
            Some(status) => format!("qemu-system-arm ended ({status})"),
            None => "qemu-system-arm closed its console".to_owned(),
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

    #[test]
    fn the_command_line() {
        let emulation = Emulation {
            board: Board::Mps2An386,
            firmware: "fw.elf".into(),
            model: "a,b/m.safetensors".into(),
            log: Some("x,y.bin".into()),
        };
        let arguments = emulation.arguments().join(" ".as_ref());
        assert_eq!(
            arguments.to_str().unwrap(),
            "-M mps2-an386 -display none -monitor none -icount shift=6 -serial stdio -serial file:x,y.bin -kernel fw.elf \
             -device loader,file=a,,b/m.safetensors,addr=0x00200000,force-raw=on"
        );
    }

    #[test]
    fn files_are_checked_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut emulation = Emulation { board: Board::Mps2An386, firmware: path("f"), model: path("m"), log: None };
        assert!(matches!(emulation.start(), Err(OpenError::File { what: "firmware", .. })));
        std::fs::write(path("f"), "").unwrap();
        assert!(matches!(emulation.start(), Err(OpenError::File { what: "model", .. })));
        std::fs::write(path("m"), vec![0; 0x0020_0001]).unwrap();
        emulation.log = None;
        let error = emulation.start().err().unwrap().to_string();
        assert!(error.contains("2097153 bytes, the model slot of mps2-an386 holds 2097152"), "{error}");
    }
}

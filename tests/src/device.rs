//! An emulated device whose console is at a TCP port, as a person or a program at its other end sees it.

mod debugger;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tern_boards::Board;

pub use debugger::Debugger;

use crate::model::argument;

/// How long a device may take to say what is expected of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An emulated device. It ends when dropped, as one whose power is cut.
#[derive(Debug)]
pub struct Device {
    emulator: Child,
    port: u16,
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may have ended by itself: that is what is wanted.
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

impl Device {
    /// Emulates `board` with this firmware; it begins when somebody is at its console. `options` are QEMU's.
    ///
    /// # Panics
    ///
    /// Where QEMU does not start.
    pub fn start(board: &Board, firmware: &Path, options: &[&str]) -> Self {
        Device::run(board, &[&["-kernel", argument(firmware)], options].concat())
    }

    /// As [`start`](Device::start), with the board's flash in a file that is there; an instruction takes 64 ns of its time.
    pub fn keeping(board: &Board, firmware: &Path, flash: &Path) -> Self {
        let drive = format!("if=pflash,unit=1,format=raw,file={}", argument(flash));
        let program = format!("loader,file={}", argument(firmware));
        Device::run(board, &["-icount", "shift=6", "-device", &program, "-drive", &drive])
    }

    fn run(board: &Board, options: &[&str]) -> Self {
        let machine = board.emulator.as_ref().expect("the board is one that an emulator has");
        let port = free_port();
        let serial = format!("tcp:127.0.0.1:{port},server=on,wait=on");
        let mut command = Command::new(machine.program);
        command.args(["-M", machine.machine, "-display", "none", "-monitor", "none"]).args(machine.arguments);
        command.args(["-serial", &serial]).args(options);
        let emulator = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Device { emulator: emulator.expect("QEMU starts: is `cargo xtask setup` done?"), port }
    }

    /// As [`start`](Device::start), with a terminal at its console and a debugger.
    pub fn debugged(board: &Board, firmware: &Path, options: &[&str]) -> (Self, Console, Debugger) {
        let gdb = free_port();
        let port = format!("tcp:127.0.0.1:{gdb}");
        let options = [&["-gdb", &port], options].concat();
        let mut device = Device::start(board, firmware, &options);
        // QEMU looks for a debugger once somebody is at the console.
        let console = device.connect();
        (device, console, Debugger::connect(gdb))
    }

    /// Where the console is, as `tern … --tcp` takes it. Waits until it can be reached.
    pub fn address(&mut self) -> String {
        let start = Instant::now();
        // Looking at the port by connecting would take the one connection that QEMU waits for; one that is listened on cannot be bound.
        while TcpListener::bind(("127.0.0.1", self.port)).is_ok() {
            assert!(self.emulator.try_wait().expect("QEMU can be asked").is_none(), "QEMU ended");
            assert!(start.elapsed() < PATIENCE, "QEMU does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        format!("127.0.0.1:{}", self.port)
    }

    /// A person's terminal at the console.
    pub fn connect(&mut self) -> Console {
        let stream = TcpStream::connect(self.address()).expect("QEMU takes a connection");
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).expect("a socket has options");
        Console { stream, seen: String::new() }
    }
}

/// A person's terminal, and all that was seen on it.
#[derive(Debug)]
pub struct Console {
    pub(crate) stream: TcpStream,
    /// What the device said so far.
    pub seen: String,
}

impl Drop for Console {
    fn drop(&mut self) {
        // Where the device has gone, so has the line.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

impl Console {
    /// Types bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the device is there");
    }

    /// Reads until `end` has come, and not one byte more.
    ///
    /// # Panics
    ///
    /// Where it does not come.
    pub fn until(&mut self, end: &str) -> String {
        let mut came = Vec::new();
        while !came.ends_with(end.as_bytes()) {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) => came.push(byte[0]),
                other => panic!("{end:?} does not come ({other:?}) after\n{}{}", self.seen, shown(&came)),
            }
        }
        let came = shown(&came);
        self.seen += &came;
        came
    }

    /// Waits for the prompt of a start.
    pub fn boot(&mut self) -> String {
        self.until("`help` lists the commands\r\n") + &self.until("> ")
    }

    /// The answer to a line, up to the prompt after it.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r").as_bytes());
        self.until("\n> ")
    }

    /// Has the device begin anew, and gives what it says up to its prompt.
    pub fn reset(&mut self) -> String {
        self.send(b"reset\r");
        self.boot()
    }
}

/// A port that was free a moment ago; should somebody take it in between, QEMU does not start and the test says so.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port()
}

/// What a person reads.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

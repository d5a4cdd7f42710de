//! A board that QEMU emulates, with its console at a TCP port.

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

/// The timeout for an expected output of the device.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of QEMU with which each instruction takes 2^6 = 64 ns of emulated time, so that the duration of a
/// computation does not depend on the host. Without these options emulated time is the time of the host, and bytes
/// arrive while the device computes, as on hardware.
pub const COUNTED: [&str; 2] = ["-icount", "shift=6"];

/// Returns the value of QEMU's option `-device` that loads a device file into the first slot of the default board.
pub fn loader(model: &Path) -> String {
    format!("loader,file={},addr={:#x},force-raw=on", argument(model), tern_boards::DEFAULT.slot.address)
}

/// An emulated device. Dropping it cuts its power.
#[derive(Debug)]
pub struct Device {
    emulator: Child,
    port: u16,
}

impl Drop for Device {
    fn drop(&mut self) {
        // An error means that the emulator has already ended.
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

impl Device {
    /// Emulates `board` with this firmware, which starts once the console is connected. `options`: further options of
    /// QEMU. Panics if the board has no emulator or QEMU does not start.
    pub fn start(board: &Board, firmware: &Path, options: &[&str]) -> Self {
        Device::run(board, &[&["-kernel", argument(firmware)], options].concat())
    }

    /// Does the same as [`start`](Device::start), with the contents of the board's flash in an existing file and with
    /// [`COUNTED`] time.
    pub fn with_flash_file(board: &Board, firmware: &Path, flash: &Path) -> Self {
        let drive = format!("if=pflash,unit=1,format=raw,file={}", argument(flash));
        let program = format!("loader,file={}", argument(firmware));
        Device::run(board, &[&COUNTED[..], &["-device", &program, "-drive", &drive]].concat())
    }

    /// Starts QEMU with the console at a free port.
    fn run(board: &Board, options: &[&str]) -> Self {
        let machine = board.emulator.as_ref().expect("the board has an emulator");
        let port = free_port();
        let serial = format!("tcp:127.0.0.1:{port},server=on,wait=on");
        let mut command = Command::new(machine.program);
        command.args(["-M", machine.machine, "-display", "none", "-monitor", "none"]).args(machine.arguments);
        command.args(["-serial", &serial]).args(options);
        let emulator = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Device { emulator: emulator.expect("QEMU starts; `cargo xtask setup` installs it"), port }
    }

    /// Does the same as [`start`](Device::start), and connects the console and a debugger.
    pub fn with_debugger(board: &Board, firmware: &Path, options: &[&str]) -> (Self, Console, Debugger) {
        let gdb_port = free_port();
        let gdb_address = format!("tcp:127.0.0.1:{gdb_port}");
        let options = [&["-gdb", &gdb_address], options].concat();
        let mut device = Device::start(board, firmware, &options);
        // QEMU accepts the debugger only after the console is connected.
        let console = device.connect();
        (device, console, Debugger::connect(gdb_port, TIMEOUT))
    }

    /// Waits until the console accepts a connection and returns its address for `tern … --tcp`.
    pub fn address(&mut self) -> String {
        address(&mut self.emulator, self.port)
    }

    /// Connects to the console.
    pub fn connect(&mut self) -> Console {
        let stream = TcpStream::connect(self.address()).expect("QEMU accepts a connection");
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(TIMEOUT))).expect("a socket has options");
        Console { stream, seen: String::new() }
    }
}

/// Waits until an emulator listens on `port` and returns the port's address. Panics if the emulator ends or does not
/// listen in time.
pub(crate) fn address(emulator: &mut Child, port: u16) -> String {
    let start = Instant::now();
    while !is_listened_on(port) {
        assert!(emulator.try_wait().expect("the emulator can be asked").is_none(), "the emulator ended");
        assert!(start.elapsed() < TIMEOUT, "the emulator does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    format!("127.0.0.1:{port}")
}

/// Returns true if a program listens on a port. The function reads `/proc`: a trial connection would be the only one
/// that QEMU accepts, and binding the port could prevent QEMU from binding it. On systems without `/proc` the function
/// binds the port.
fn is_listened_on(port: u16) -> bool {
    let Ok(sockets) = std::fs::read_to_string("/proc/net/tcp") else {
        return TcpListener::bind(("127.0.0.1", port)).is_err();
    };
    // A line is `0: 0100007F:1F90 00000000:0000 0A …`: number, local address, remote address, state.
    let (local, listening) = (format!(":{port:04X}"), "0A");
    sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| fields.len() > 3 && fields[1].ends_with(&local) && fields[3] == listening)
}

/// A connection to the console.
#[derive(Debug)]
pub struct Console {
    pub(crate) stream: TcpStream,
    /// All output of the device so far.
    pub seen: String,
}

impl Drop for Console {
    fn drop(&mut self) {
        // An error means that the device has already ended.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

impl Console {
    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the device runs");
    }

    /// The connection to the console.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads and drops the output of the device until it is silent for 200 ms.
    pub fn discard(&mut self) {
        self.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket has options");
        while self.stream.read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
        self.stream.set_read_timeout(Some(TIMEOUT)).expect("a socket has options");
    }

    /// Reads up to and including `end`, and returns this output. Panics if `end` does not arrive in time.
    pub fn until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        while !received.ends_with(end.as_bytes()) {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) => received.push(byte[0]),
                other => panic!("{end:?} does not arrive ({other:?}) after\n{}{}", self.seen, shown(&received)),
            }
        }
        let received = shown(&received);
        self.seen += &received;
        received
    }

    /// Waits for the first prompt after a start and returns the output up to it.
    pub fn boot(&mut self) -> String {
        self.until("`help` lists the commands\r\n") + &self.until("> ")
    }

    /// Sends a line and returns the answer up to the next prompt.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r").as_bytes());
        self.until("\n> ")
    }

    /// Resets the device and returns its output up to the first prompt.
    pub fn reset(&mut self) -> String {
        self.send(b"reset\r");
        self.boot()
    }
}

/// Returns a free port. If another process takes it first, QEMU does not start and the test fails.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port()
}

/// Returns bytes as text, with U+FFFD in place of bytes that are not UTF-8.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

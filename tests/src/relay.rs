//! A relay between `tern` and a device that damages the transfers which pass through it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The side that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The computer that runs `tern`.
    Host,
    /// The device.
    Device,
}

/// A function that changes an item of a YMODEM transfer: a block or EOT of the host, or an ACK, NAK, CAN or `C` of the
/// device. The arguments are the sender, the number of the item among those of the sender, from 0, and the bytes of the
/// item. To lose an item, the function clears the bytes.
pub type Damage<'d> = &'d mut (dyn FnMut(Side, usize, &mut Vec<u8>) + Send);

const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
/// The line by which a host asks for a transfer.
const LOAD: &[u8] = b"load\n";
/// The time that a direction waits for bytes before it checks whether the command has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Runs a command with `--tcp` and the address of a relay to `device`, and returns its output. The relay calls `damage`
/// with each item of a transfer before it passes the item on. Panics if the command does not start or does not connect.
pub fn run(command: &mut Command, device: &TcpStream, damage: Damage<'_>) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound port has an address").to_string();
    let command = command.args(["--tcp", &address]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the command starts");
    let (host, _) = listener.accept().expect("the command connects");
    let (damage, is_transfer, is_over) = (Mutex::new(damage), AtomicBool::new(false), AtomicBool::new(false));
    let pass = |side, from, to| {
        let direction = Direction { side, is_transfer: &is_transfer, damage: &damage, count: 0, pending: Vec::new() };
        direction.pass(from, to, &is_over);
    };
    thread::scope(|scope| {
        scope.spawn(|| pass(Side::Host, &host, device));
        scope.spawn(|| pass(Side::Device, device, &host));
        let output = child.wait_with_output().expect("the command can be waited for");
        // Time for the last bytes of the command to reach the device.
        thread::sleep(5 * POLL_INTERVAL);
        is_over.store(true, Ordering::Relaxed);
        output
    })
}

/// One direction of the relay.
struct Direction<'r, 'd> {
    side: Side,
    /// True from the request for a transfer until the device answers it.
    is_transfer: &'r AtomicBool,
    damage: &'r Mutex<Damage<'d>>,
    /// The number of items so far.
    count: usize,
    /// The bytes of an incomplete item; outside of a transfer, the bytes of the host, which may end with [`LOAD`].
    pending: Vec<u8>,
}

impl Direction<'_, '_> {
    /// Passes bytes on until `is_over` is set or the sender closes the connection.
    fn pass(mut self, mut from: &TcpStream, mut to: &TcpStream, is_over: &AtomicBool) {
        from.set_read_timeout(Some(POLL_INTERVAL)).expect("a socket has options");
        let mut buffer = [0; 4096];
        while !is_over.load(Ordering::Relaxed) {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    let bytes: Vec<u8> = buffer[..count].iter().flat_map(|&byte| self.take(byte)).collect();
                    // An error means that the other side has ended.
                    drop(to.write_all(&bytes));
                }
                // A time-out: no bytes within the polling interval.
                Err(_) => (),
            }
        }
    }

    /// Takes a byte and returns the bytes to pass on; none while an item is incomplete.
    fn take(&mut self, byte: u8) -> Vec<u8> {
        if !self.is_transfer.load(Ordering::Relaxed) {
            if self.side == Side::Host {
                self.pending.push(byte);
                if self.pending.ends_with(LOAD) {
                    self.is_transfer.store(true, Ordering::Relaxed);
                    self.pending.clear();
                }
            }
            return vec![byte];
        }
        let is_control = match self.side {
            Side::Host => !self.pending.is_empty() || matches!(byte, SOH | STX | EOT),
            Side::Device => matches!(byte, b'C' | ACK | NAK | CAN),
        };
        if !is_control {
            // The device's answer is a line.
            if self.side == Side::Device && byte == b'\n' {
                self.is_transfer.store(false, Ordering::Relaxed);
            }
            return vec![byte];
        }
        self.pending.push(byte);
        let length = match self.pending[0] {
            // Header, number, complement, 128 or 1024 bytes of data, CRC.
            SOH => 133,
            STX => 1029,
            _ => 1,
        };
        if self.pending.len() < length {
            return Vec::new();
        }
        let mut item = std::mem::take(&mut self.pending);
        self.damage.lock().expect("no test has panicked")(self.side, self.count, &mut item);
        self.count += 1;
        item
    }
}

//! A client of the remote protocol of gdb, which makes the firmware of an emulated device hang or fault.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// A connected debugger. The device runs except while an instruction is replaced.
#[derive(Debug)]
pub struct Debugger(TcpStream);

impl Debugger {
    /// Connects to an emulator and continues the execution, which a connection stops.
    pub(super) fn connect(port: u16, timeout: Duration) -> Self {
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(start.elapsed() < timeout, "cannot connect the debugger: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(timeout)).expect("a socket has options");
        let mut debugger = Debugger(stream);
        debugger.send("c");
        debugger
    }

    /// Makes the firmware hang: writes a branch to itself at the program counter.
    pub fn hang(&mut self) {
        self.patch([0xfe, 0xe7]);
    }

    /// Makes the firmware fault: writes an undefined instruction at the program counter.
    pub fn fault(&mut self) {
        self.patch([0x00, 0xde]);
    }

    /// Stops the device, writes a Thumb instruction at the program counter and continues. A reset undoes the change,
    /// because the emulator then loads the program again.
    fn patch(&mut self, [a, b]: [u8; 2]) {
        self.0.write_all(&[3]).expect("the debugger is connected");
        // The program counter is the sixteenth register. A register is eight hexadecimal digits, little-endian.
        let registers = self.ask("g");
        let counter = u32::from_str_radix(&registers[15 * 8..16 * 8], 16).expect("a register").swap_bytes();
        assert_eq!(self.ask(&format!("M{counter:x},2:{a:02x}{b:02x}")), "OK");
        self.send("c");
    }

    /// Sends a packet: `$`, the text, `#`, and the sum of the bytes of the text in two hexadecimal digits.
    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.0, "${packet}#{sum:02x}").expect("the debugger is connected");
    }

    /// Sends a packet and returns the answer.
    fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        loop {
            let answer = self.receive();
            // Packets that begin with `T` report that the processor stopped.
            if !answer.starts_with('T') {
                return answer;
            }
        }
    }

    /// Receives a packet and acknowledges it.
    fn receive(&mut self) -> String {
        let mut packet = Vec::new();
        // A packet begins with `$` and ends with `#` and two digits; a `+` before it acknowledges ours.
        while packet.len() < 3 || packet[packet.len() - 3] != b'#' {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the debugger is connected");
            packet.extend(byte);
        }
        let start = packet.iter().position(|byte| *byte == b'$').expect("a packet begins") + 1;
        let answer = packet[start..packet.len() - 3].to_vec();
        self.0.write_all(b"+").expect("the debugger is connected");
        String::from_utf8(answer).expect("the protocol is text")
    }
}

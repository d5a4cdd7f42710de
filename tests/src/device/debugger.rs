//! A debugger at an emulated device: gdb's remote protocol, as far as it takes to break a firmware.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A debugger. The device runs but while it is changed.
#[derive(Debug)]
pub struct Debugger(TcpStream);

impl Debugger {
    /// Connects to an emulator, which is stopped by that, and lets it run.
    pub(super) fn connect(port: u16) -> Self {
        let start = Instant::now();
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) => assert!(start.elapsed() < PATIENCE, "no debugger's port: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has options");
        let mut debugger = Debugger(stream);
        debugger.tell("c");
        debugger
    }

    /// Puts a branch to itself where the processor stands.
    pub fn hang(&mut self) {
        self.patch([0xfe, 0xe7]);
    }

    /// Puts an instruction that is none where the processor stands.
    pub fn break_down(&mut self) {
        self.patch([0x00, 0xde]);
    }

    /// Stops the processor and puts an instruction of Thumb where it stands. A reset takes it back: the emulator loads the program anew.
    fn patch(&mut self, [a, b]: [u8; 2]) {
        self.0.write_all(&[3]).expect("the debugger's port is there");
        // The program counter is the sixteenth register; each is eight hexadecimal digits, little-endian.
        let registers = self.ask("g");
        let counter = u32::from_str_radix(&registers[15 * 8..16 * 8], 16).expect("a register").swap_bytes();
        assert_eq!(self.ask(&format!("M{counter:x},2:{a:02x}{b:02x}")), "OK");
        self.tell("c");
    }

    fn tell(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.0, "${packet}#{sum:02x}").expect("the debugger's port is there");
    }

    /// The answer to a packet.
    fn ask(&mut self, packet: &str) -> String {
        self.tell(packet);
        loop {
            let answer = self.receive();
            // It also says when it has stopped.
            if !answer.starts_with('T') {
                return answer;
            }
        }
    }

    fn receive(&mut self) -> String {
        let mut packet = Vec::new();
        // The end of a packet is `#` and two digits; before its beginning, `+` acknowledges ours.
        while packet.len() < 3 || packet[packet.len() - 3] != b'#' {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the debugger's port answers");
            packet.extend(byte);
        }
        let start = packet.iter().position(|byte| *byte == b'$').expect("a packet begins") + 1;
        let answer = packet[start..packet.len() - 3].to_vec();
        self.0.write_all(b"+").expect("the debugger's port is there");
        String::from_utf8(answer).expect("the protocol is text")
    }
}

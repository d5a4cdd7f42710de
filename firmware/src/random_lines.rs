//! Random lines for the robustness tests of the console, here and in the package `tern-tests`.

use std::vec::Vec;

use tern_runtime::testing::Random;

/// Valid lines to mutate. None of them resets the device.
const VALID_LINES: [&[u8]; 16] = [
    b"help",
    b"info",
    b"@info",
    b"labels",
    b"top 3 free prize",
    b"@top 9999",
    b"classify free prize, call now",
    b"@classify Gr\xc3\xbc\xc3\x9fe, caller!!",
    b"stats",
    b"bench",
    b"selftest",
    b"echo off",
    b"color on",
    b"mode machine",
    b"stream",
    b"@stream",
];

/// An endless iterator of random and mutated lines, determined by a seed. A line ends with CR, with LF or without a
/// line end.
pub struct RandomLines {
    random: Random,
    max_length: usize,
}

impl RandomLines {
    /// Makes lines of at most `max_length` bytes, line ends included. `max_length` must be at least 1.
    pub fn new(seed: u64, max_length: usize) -> Self {
        RandomLines { random: Random(seed), max_length }
    }

    /// A random number from `from` to `to`, both included.
    fn between(&mut self, from: usize, to: usize) -> usize {
        self.random.between(from as i64, to as i64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.random.between(0, 255) as u8
    }

    /// A line of [`VALID_LINES`] with up to four bytes changed, added or removed.
    fn mutated(&mut self) -> Vec<u8> {
        let mut line = VALID_LINES[self.between(0, VALID_LINES.len() - 1)].to_vec();
        for _ in 0..self.between(0, 4) {
            let (position, byte) = (self.between(0, line.len()), self.byte());
            match self.between(0, 2) {
                0 => line.insert(position, byte),
                // There is no byte at the end of the line to change or to remove.
                _ if position == line.len() => (),
                1 => line[position] = byte,
                _ => drop(line.remove(position)),
            }
        }
        line
    }
}

impl Iterator for RandomLines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let length = self.between(0, self.max_length - 1);
        let mut line: Vec<u8> = match self.between(0, 5) {
            // Random bytes.
            0 => (0..length).map(|_| self.byte()).collect(),
            // A long text.
            1 => b"free prize ".iter().copied().cycle().take(length).collect(),
            // Characters of several bytes, cut anywhere.
            2 => "é漢🦆\u{300}".bytes().cycle().skip(self.between(0, 10)).take(length).collect(),
            // Escape sequences, control keys, and the control bytes of the streaming mode.
            3 => {
                let controls = b"\x1b[\x1bOAB~1;?c\x01\x05\x08\x09\x0b\x10\x17\x03\x04\x18\x7f";
                (0..length).map(|_| controls[self.between(0, controls.len() - 1)]).collect()
            }
            _ => self.mutated(),
        };
        match self.between(0, 3) {
            0 => line.push(b'\r'),
            1 => (),
            _ => line.push(b'\n'),
        }
        line.truncate(self.max_length);
        Some(line)
    }
}

//! Lines that no person and no program would send: for tests that a console outlives them, here and in the package `tern-tests`.

use std::vec::Vec;

use tern_runtime::testing::Random;

/// What may be mutated. None of them begins the device anew.
const SEEDS: [&[u8]; 16] = [
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

/// Random and mutated lines, the same for the same seed. Each is at most as long as asked.
pub struct Lines {
    random: Random,
    most: usize,
}

impl Lines {
    /// Lines of at most `most` bytes.
    pub fn new(seed: u64, most: usize) -> Self {
        Lines { random: Random(seed), most }
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        self.random.between(from as i64, to as i64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.random.between(0, 255) as u8
    }

    /// A command with bytes changed, added and taken away.
    fn mutated(&mut self) -> Vec<u8> {
        let at = self.between(0, SEEDS.len() - 1);
        let mut line = SEEDS[at].to_vec();
        for _ in 0..self.between(0, 4) {
            let (at, byte) = (self.between(0, line.len()), self.byte());
            match self.between(0, 2) {
                0 => line.insert(at, byte),
                1 if at < line.len() => line[at] = byte,
                _ if at < line.len() => drop(line.remove(at)),
                _ => (),
            }
        }
        line
    }
}

impl Iterator for Lines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let length = self.between(0, self.most - 1);
        let mut line: Vec<u8> = match self.between(0, 5) {
            // Binary.
            0 => (0..length).map(|_| self.byte()).collect(),
            // A line without end.
            1 => b"free prize ".iter().copied().cycle().take(length).collect(),
            // Characters of several bytes, broken where the length has it.
            2 => "é漢🦆\u{300}".bytes().cycle().skip(self.between(0, 10)).take(length).collect(),
            // What a terminal sends, and what leaves the streaming mode, escaped or not.
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
        line.truncate(self.most);
        Some(line)
    }
}

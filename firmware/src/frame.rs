//! Machine mode: each answer is framed by its number before it and two checksums after it.

use core::fmt::{self, Write};

use crate::crc32;
use crate::port::Port;
use crate::terminal::print;

/// The frame of the next answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The number of answers since machine mode began.
    number: u32,
    /// CRC-32 of the request's bytes so far.
    request: u32,
}

impl Frame {
    /// The frame of the first answer, to the request that begins machine mode.
    pub fn of(request: &[u8]) -> Self {
        let mut frame = Frame::default();
        frame.add_request(request);
        frame
    }

    /// Adds bytes of the request to its checksum.
    pub fn add_request(&mut self, bytes: &[u8]) {
        self.request = crc32::extend(self.request, bytes);
    }

    /// Forgets the request's bytes, if they were abandoned or lost.
    pub fn clear_request(&mut self) {
        self.request = 0;
    }

    fn write(&mut self, out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> fmt::Result {
        let mut summed = Summed { out, sum: 0 };
        write!(summed, "{} ", self.number)?;
        write(&mut summed)?;
        write!(summed, " {:08x}", self.request)?;
        let sum = summed.sum;
        (self.number, self.request) = (self.number.wrapping_add(1), 0);
        write!(out, " {sum:08x}")
    }
}

/// Writes an answer without its line end, in machine mode with its frame.
///
/// # Errors
/// Those of the port.
pub fn write_answer<P: Port>(
    port: &mut P,
    frame: &mut Option<Frame>,
    write: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> Result<(), P::Error> {
    match frame {
        Some(frame) => print(port, |out| frame.write(out, write)),
        None => print(port, write),
    }
}

/// Passes text on and computes its checksum.
struct Summed<'w> {
    out: &'w mut dyn Write,
    sum: u32,
}

impl Write for Summed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.sum = crc32::extend(self.sum, text.as_bytes());
        self.out.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc32::crc32;
    use std::format;
    use std::string::String;

    #[test]
    fn answers_are_numbered_and_have_checksums() {
        let mut frame = Frame::of(b"mode machine");
        let mut framed = |request: &[u8]| {
            let mut out = String::new();
            frame.add_request(request);
            frame.write(&mut out, |out| out.write_str("{}")).unwrap();
            out
        };
        let first = format!("0 {{}} {:08x}", crc32(b"mode machine"));
        assert_eq!(framed(b""), format!("{first} {:08x}", crc32(first.as_bytes())));
        let second = format!("1 {{}} {:08x}", crc32(b"info"));
        assert_eq!(framed(b"info"), format!("{second} {:08x}", crc32(second.as_bytes())));
        assert!(framed(b"").starts_with("2 {} 00000000 "));
    }
}

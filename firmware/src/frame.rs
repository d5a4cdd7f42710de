//! The frame of an answer in machine mode: a number before it, two checksums after it.

use core::fmt::{self, Write};

use crate::crc32;
use crate::port::Port;
use crate::terminal::print;

/// What the next answer's frame says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Answers since machine mode began.
    number: u32,
    /// Of the request's bytes so far.
    request: u32,
}

impl Frame {
    /// The frame of the answer to the request that begins machine mode.
    pub fn of(request: &[u8]) -> Self {
        let mut frame = Frame::default();
        frame.take(request);
        frame
    }

    /// More bytes of the request.
    pub fn take(&mut self, bytes: &[u8]) {
        self.request = crc32::go_on(self.request, bytes);
    }

    /// The request has no bytes, or nobody knows them.
    pub fn forget(&mut self) {
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

/// Writes an answer without its line end, in a frame if there is one.
///
/// # Errors
/// Those of the port.
pub fn answer<P: Port>(
    port: &mut P,
    frame: &mut Option<Frame>,
    write: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> Result<(), P::Error> {
    match frame {
        Some(frame) => print(port, |out| frame.write(out, write)),
        None => print(port, write),
    }
}

/// Passes text on and takes its checksum.
struct Summed<'w> {
    out: &'w mut dyn Write,
    sum: u32,
}

impl Write for Summed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.sum = crc32::go_on(self.sum, text.as_bytes());
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
    fn an_answer_is_numbered_and_summed() {
        let mut frame = Frame::of(b"mode machine");
        let mut framed = |request: &[u8]| {
            let mut out = String::new();
            frame.take(request);
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

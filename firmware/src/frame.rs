//! The frames of machine mode, in which a program uses the console. An answer is the line
//! `NUMBER ANSWER REQUEST_CRC ANSWER_CRC`: its number, its JSON object, and two CRC-32 in hexadecimal, the first of the
//! request, the second of the line from NUMBER to REQUEST_CRC.

use core::fmt::{self, Write};

use crate::crc32;
use crate::port::{Port, print};

/// The frame of the next answer in machine mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The number of the next answer: 0 for the first one in machine mode.
    number: u32,
    /// CRC-32 of the bytes of the request that were received so far.
    request_crc: u32,
}

impl Frame {
    /// Returns the frame of the first answer in machine mode, the answer to `request`: the command `mode machine`.
    pub fn first(request: &[u8]) -> Self {
        let mut frame = Frame::default();
        frame.add_request(request);
        frame
    }

    /// Adds bytes of the request to its checksum.
    pub fn add_request(&mut self, bytes: &[u8]) {
        self.request_crc = crc32::extend(self.request_crc, bytes);
    }

    /// Resets the checksum of the request, because the request was abandoned or damaged.
    pub fn clear_request(&mut self) {
        self.request_crc = 0;
    }
}

/// Writes an answer with `write`, without a line end. In machine mode, adds the frame, and makes `frame` that of the
/// next answer. Outside machine mode, `frame` is `None`, and only the answer is written.
pub fn write_answer<P: Port>(
    port: &mut P,
    frame: &mut Option<Frame>,
    write: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> Result<(), P::Error> {
    print(port, |out| write_framed(out, frame, write))
}

fn write_framed(
    out: &mut dyn Write,
    frame: &mut Option<Frame>,
    write: impl FnOnce(&mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    let mut summed = Summed { out, answer_crc: frame.map(|_| 0) };
    summed.begin(frame)?;
    write(&mut summed)?;
    summed.end(frame)
}

/// Passes text on to `out`. In machine mode, also computes its CRC-32.
struct Summed<'w> {
    out: &'w mut dyn Write,
    /// CRC-32 of the text written so far; `None` outside machine mode.
    answer_crc: Option<u32>,
}

impl Summed<'_> {
    /// In machine mode, writes the number of the answer.
    fn begin(&mut self, frame: &Option<Frame>) -> fmt::Result {
        match frame {
            Some(frame) => write!(self, "{} ", frame.number),
            None => Ok(()),
        }
    }

    /// In machine mode, writes both checksums, and makes `frame` that of the next answer.
    fn end(&mut self, frame: &mut Option<Frame>) -> fmt::Result {
        let Some(frame) = frame else { return Ok(()) };
        write!(self, " {:08x}", frame.request_crc)?;
        frame.number = frame.number.wrapping_add(1);
        frame.clear_request();
        // Written to `out`, not to `self`, because the answer's checksum does not cover itself. In machine mode,
        // `answer_crc` is not `None`.
        write!(self.out, " {:08x}", self.answer_crc.unwrap_or(0))
    }
}

impl Write for Summed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.answer_crc = self.answer_crc.map(|crc| crc32::extend(crc, text.as_bytes()));
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
        let mut frame = Some(Frame::first(b"mode machine"));
        let mut framed = |request: &[u8]| {
            let mut out = String::new();
            frame.as_mut().unwrap().add_request(request);
            write_framed(&mut out, &mut frame, |out| out.write_str("{}")).unwrap();
            out
        };
        let first = format!("0 {{}} {:08x}", crc32(b"mode machine"));
        assert_eq!(framed(b""), format!("{first} {:08x}", crc32(first.as_bytes())));
        let second = format!("1 {{}} {:08x}", crc32(b"info"));
        assert_eq!(framed(b"info"), format!("{second} {:08x}", crc32(second.as_bytes())));
        assert!(framed(b"").starts_with("2 {} 00000000 "));
    }
}

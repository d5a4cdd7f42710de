//! The frame of an answer in the console's machine mode (`docs/console.md`): `NUMBER JSON REQUEST SUM`. NUMBER counts
//! the answers, REQUEST is the CRC-32 of the request that is answered, and SUM that of `NUMBER JSON REQUEST`.

use std::collections::VecDeque;

use crate::checksum::crc32;

/// The parts of a framed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framed<'l> {
    /// Number of the answer.
    pub number: u32,
    /// The JSON object.
    pub json: &'l [u8],
    /// CRC-32 of the request as the device received it.
    pub request: u32,
}

/// Splits a line, given without its line end, into the parts of its frame. Fails if the line has another form or a
/// wrong checksum.
pub(super) fn parse(line: &[u8]) -> Result<Framed<'_>, String> {
    let shape = "its shape is not `NUMBER JSON REQUEST SUM`";
    let (before, sum) = cut_sum(line).ok_or(shape)?;
    let found = crc32(before);
    if found != sum {
        return Err(format!("its checksum is {sum:08x}, that of its bytes {found:08x}"));
    }
    let (before, request) = cut_sum(before).ok_or(shape)?;
    let space = before.iter().position(|&byte| byte == b' ').ok_or(shape)?;
    let number = std::str::from_utf8(&before[..space]).ok().and_then(|digits| digits.parse().ok()).ok_or(shape)?;
    Ok(Framed { number, json: &before[space + 1..], request })
}

/// Splits off the checksum at the end of a line, a space and eight hexadecimal digits. Returns the bytes before the
/// space, and the checksum; `None` if the line has another end.
fn cut_sum(line: &[u8]) -> Option<(&[u8], u32)> {
    let (before, digits) = line.split_at_checked(line.len().checked_sub(8)?)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((before.strip_suffix(b" ")?, u32::from_str_radix(digits, 16).ok()?))
}

/// Checks that answers have consecutive numbers, and that each belongs to the next request.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameChecker {
    /// Number of the next answer.
    next: u32,
    /// Checksums of the requests that are not answered yet.
    requests: VecDeque<u32>,
    /// True after the device lost bytes, when it is unknown which request an answer belongs to.
    ignores_requests: bool,
}

impl FrameChecker {
    /// Creates the state after the answer with this number, when no answer is due.
    pub fn after(number: u32) -> Self {
        FrameChecker { next: number.wrapping_add(1), ..FrameChecker::default() }
    }

    /// Registers a request that was sent: a line without its line end, or a streamed text.
    pub fn sent(&mut self, request: &[u8]) {
        self.requests.push_back(crc32(request));
    }

    /// Stops checking which request an answer belongs to, until [`reset`](FrameChecker::reset).
    pub fn lose_requests(&mut self) {
        self.ignores_requests = true;
    }

    /// Forgets all requests, and checks the requests of answers again. The numbers continue.
    pub fn reset(&mut self) {
        *self = FrameChecker { next: self.next, ..FrameChecker::default() };
    }

    /// Checks the next answer, a line without its line end, and returns its JSON. Fails if the line is damaged, or its
    /// number or its request is not the next one. If no request is due, the request is not checked.
    pub fn take<'l>(&mut self, line: &'l [u8]) -> Result<&'l [u8], String> {
        let Framed { number, json, request } = parse(line)?;
        if number != self.next {
            return Err(format!("its number is {number}, expected {}", self.next));
        }
        self.next = number.wrapping_add(1);
        let expected = self.requests.pop_front();
        // The device gives the checksum 0 to a request of which it lost bytes, because its receive queue was full.
        let is_cut = request == 0 && json.starts_with(br#"{"error":"overflow""#);
        match expected {
            Some(expected) if expected != request && !is_cut && !self.ignores_requests => {
                Err(format!("it answers a request with the checksum {request:08x}, expected {expected:08x}"))
            }
            _ => Ok(json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(number: u32, json: &str, request: &[u8]) -> String {
        let line = format!("{number} {json} {:08x}", crc32(request));
        format!("{line} {:08x}", crc32(line.as_bytes()))
    }

    #[test]
    fn damaged_and_misplaced_answers_are_refused() {
        let mut frames = FrameChecker::after(6);
        frames.sent(b"info");
        frames.sent(b"help");
        let line = framed(7, r#"{"a":"b c"}"#, b"info");
        assert_eq!(parse(line.as_bytes()).unwrap().number, 7);
        for at in 0..line.len() {
            let mut damaged = line.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(frames.clone().take(&damaged).is_err(), "byte {at}");
        }
        assert_eq!(frames.take(line.as_bytes()).unwrap(), br#"{"a":"b c"}"#);
        let error = |frames: &FrameChecker, line: String| frames.clone().take(line.as_bytes()).unwrap_err();
        assert!(error(&frames, framed(9, "{}", b"help")).contains("its number is 9, expected 8"));
        assert!(error(&frames, framed(8, "{}", b"helb")).contains("answers a request with the checksum"));
        let cut = framed(8, r#"{"error":"overflow"}"#, b"");
        assert!(frames.clone().take(cut.as_bytes()).is_ok());
        frames.lose_requests();
        assert!(frames.take(framed(8, "{}", b"helb").as_bytes()).is_ok());
        for line in ["", "7", "12345678", "7 {} 00000000", "\u{e9}23456789 00000000"] {
            assert!(frames.take(line.as_bytes()).is_err(), "{line}");
        }
    }
}

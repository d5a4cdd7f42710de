//! The frame of an answer in machine mode, `docs/console.md`: `NUMBER JSON REQUEST SUM`.

use std::collections::VecDeque;

/// An answer out of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framed<'l> {
    /// Its number.
    pub number: u32,
    /// What it says.
    pub json: &'l [u8],
    /// CRC-32 of the request as the device has read it.
    pub request: u32,
}

/// Takes a line, without its end, out of its frame.
///
/// # Errors
/// What is wrong with it.
pub(super) fn open(line: &[u8]) -> Result<Framed<'_>, String> {
    let shape = "it has not the shape `NUMBER JSON REQUEST SUM`";
    let (before, sum) = cut_sum(line).ok_or(shape)?;
    let found = crc32fast::hash(before);
    if found != sum {
        return Err(format!("its checksum is {sum:08x}, that of its bytes {found:08x}"));
    }
    let (before, request) = cut_sum(before).ok_or(shape)?;
    let space = before.iter().position(|&byte| byte == b' ').ok_or(shape)?;
    let number = std::str::from_utf8(&before[..space]).ok().and_then(|digits| digits.parse().ok()).ok_or(shape)?;
    Ok(Framed { number, json: &before[space + 1..], request })
}

/// Cuts off a space and eight hexadecimal digits.
fn cut_sum(line: &[u8]) -> Option<(&[u8], u32)> {
    let (before, digits) = line.split_at_checked(line.len().checked_sub(8)?)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((before.strip_suffix(b" ")?, u32::from_str_radix(digits, 16).ok()?))
}

/// What the next answers' frames must say.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    next: u32,
    /// Checksums of the requests without an answer.
    requests: VecDeque<u32>,
    /// The device lost bytes: which request an answer belongs to is not known.
    is_lost: bool,
}

impl Frames {
    /// After the answer of this number, with no request under way.
    pub fn after(number: u32) -> Self {
        Frames { next: number.wrapping_add(1), ..Frames::default() }
    }

    /// A request was sent: a line without its end, or a streamed text.
    pub fn sent(&mut self, request: &[u8]) {
        self.requests.push_back(crc32fast::hash(request));
    }

    /// From now on only numbers count.
    pub fn lose(&mut self) {
        self.is_lost = true;
    }

    /// No request is under way any more.
    pub fn found(&mut self) {
        *self = Frames { next: self.next, ..Frames::default() };
    }

    /// The next answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take<'l>(&mut self, line: &'l [u8]) -> Result<&'l [u8], String> {
        let Framed { number, json, request } = open(line)?;
        if number != self.next {
            return Err(format!("its number is {number}, expected {}", self.next));
        }
        self.next = number.wrapping_add(1);
        let expected = self.requests.pop_front();
        // A request that was cut has no checksum.
        let is_cut = request == 0 && json.starts_with(br#"{"error":"overflow""#);
        match expected {
            Some(expected) if expected != request && !is_cut && !self.is_lost => {
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
        let line = format!("{number} {json} {:08x}", crc32fast::hash(request));
        format!("{line} {:08x}", crc32fast::hash(line.as_bytes()))
    }

    #[test]
    fn frames_are_checked() {
        let mut frames = Frames::after(6);
        frames.sent(b"info");
        frames.sent(b"help");
        let line = framed(7, r#"{"a":"b c"}"#, b"info");
        assert_eq!(open(line.as_bytes()).unwrap().number, 7);
        for at in 0..line.len() {
            let mut damaged = line.clone().into_bytes();
            damaged[at] ^= 1;
            assert!(frames.clone().take(&damaged).is_err(), "byte {at}");
        }
        assert_eq!(frames.take(line.as_bytes()).unwrap(), br#"{"a":"b c"}"#);
        let error = |frames: &Frames, line: String| frames.clone().take(line.as_bytes()).unwrap_err();
        assert!(error(&frames, framed(9, "{}", b"help")).contains("its number is 9, expected 8"));
        assert!(error(&frames, framed(8, "{}", b"helb")).contains("answers a request with the checksum"));
        let cut = framed(8, r#"{"error":"overflow"}"#, b"");
        assert!(frames.clone().take(cut.as_bytes()).is_ok());
        frames.lose();
        assert!(frames.take(framed(8, "{}", b"helb").as_bytes()).is_ok());
        for line in ["", "7", "12345678", "7 {} 00000000", "\u{e9}23456789 00000000"] {
            assert!(frames.take(line.as_bytes()).is_err(), "{line}");
        }
    }
}

//! The line editor: bytes typed become a line.

use heapless::Vec;

/// How many bytes a line has at most.
pub const LIMIT: usize = 256;

/// What a byte did to the line; tells the console what to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing to show.
    None,
    /// The byte stands at the end of the line.
    Typed(u8),
    /// The last character, one column wide, is gone.
    Erased,
    /// The line must be drawn again: it lost a character of unknown width, or all.
    Redraw,
    /// The line is abandoned, and the editor empty.
    Abandoned,
    /// The line is complete: [`Editor::take`] it.
    Complete,
}

/// A line had this many bytes, more than [`LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Outside,
    /// After ESC.
    Begun,
    /// After ESC O: one byte follows.
    Last,
    /// After ESC [: until a byte 0x40 … 0x7e.
    Sequence,
}

/// Collects a line and edits it.
#[derive(Debug)]
pub struct Editor {
    line: Vec<u8, LIMIT>,
    /// Bytes typed after the line was full.
    beyond: usize,
    escape: Escape,
    /// The last byte was CR: an LF now belongs to it.
    after_cr: bool,
}

const BACKSPACE: u8 = 0x08;
const CTRL_C: u8 = 0x03;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;
const ESC: u8 = 0x1b;

impl Default for Editor {
    fn default() -> Self {
        Editor::new()
    }
}

impl Editor {
    /// An empty line.
    pub const fn new() -> Self {
        Editor { line: Vec::new(), beyond: 0, escape: Escape::Outside, after_cr: false }
    }

    /// The line, leaving an empty one.
    ///
    /// # Errors
    /// [`TooLong`] if bytes had to be left out.
    pub fn take(&mut self) -> Result<Vec<u8, LIMIT>, TooLong> {
        let bytes = self.line.len().saturating_add(self.beyond);
        let line = self.line.clone();
        self.clear();
        if bytes <= LIMIT { Ok(line) } else { Err(TooLong(bytes)) }
    }

    /// The line so far, at most its first [`LIMIT`] bytes.
    pub fn kept(&self) -> &[u8] {
        &self.line
    }

    /// Empties the line. An LF still belongs to a CR before it.
    pub fn clear(&mut self) {
        self.line.clear();
        self.beyond = 0;
        self.escape = Escape::Outside;
    }

    /// Whether the last byte was CR, so that an LF now would belong to it.
    pub fn ended_with_cr(&self) -> bool {
        self.after_cr
    }

    /// Whether `byte` ends a line or abandons it, whatever the line is. [`push`](Editor::push) agrees.
    pub fn ends(byte: u8) -> bool {
        matches!(byte, b'\r' | b'\n' | CTRL_C)
    }

    /// Takes a byte.
    pub fn push(&mut self, byte: u8) -> Edit {
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        if byte < b' ' && byte != b'\t' {
            self.escape = if byte == ESC { Escape::Begun } else { Escape::Outside };
        }
        if self.escape != Escape::Outside && byte != ESC {
            self.escape = match (self.escape, byte) {
                (Escape::Begun, b'[') => Escape::Sequence,
                (Escape::Begun, b'O') => Escape::Last,
                (Escape::Sequence, byte) if !(0x40..=0x7e).contains(&byte) => Escape::Sequence,
                _ => Escape::Outside,
            };
            return Edit::None;
        }
        match byte {
            b'\n' if after_cr => Edit::None,
            b'\r' | b'\n' => Edit::Complete,
            CTRL_C => {
                self.clear();
                Edit::Abandoned
            }
            CTRL_U => {
                self.clear();
                Edit::Redraw
            }
            BACKSPACE | DELETE => self.erase(),
            b'\t' | b' '.. => self.insert(byte),
            _ => Edit::None,
        }
    }

    fn insert(&mut self, byte: u8) -> Edit {
        if self.line.push(byte).is_err() {
            self.beyond = self.beyond.saturating_add(1);
            return Edit::None;
        }
        Edit::Typed(byte)
    }

    fn erase(&mut self) -> Edit {
        // What was typed beyond the limit is not kept, so it cannot be edited.
        if self.beyond > 0 {
            return Edit::None;
        }
        let is_continuation = |byte: u8| byte & 0xc0 == 0x80;
        let mut continuations = 0;
        loop {
            match self.line.last() {
                Some(&byte) if is_continuation(byte) && continuations < 3 => {
                    self.line.pop();
                    continuations += 1;
                }
                Some(&byte) if continuations == 0 || byte >= 0xc0 => {
                    self.line.pop();
                    return if byte.is_ascii() { Edit::Erased } else { Edit::Redraw };
                }
                _ => return if continuations > 0 { Edit::Redraw } else { Edit::None },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// Lines that come out of `bytes`; an abandoned one as `^C`.
    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut editor = Editor::new();
        let mut lines = Vec::new();
        for &byte in bytes {
            match editor.push(byte) {
                Edit::Complete => {
                    lines.push(String::from_utf8_lossy(&editor.take().unwrap()).into_owned());
                }
                Edit::Abandoned => lines.push("^C".into()),
                _ => (),
            }
        }
        lines
    }

    #[test]
    fn each_line_end_counts_once() {
        assert_eq!(lines(b"a\rb\nc\r\nd\n\re\r\r\nf\n"), ["a", "b", "c", "d", "", "e", "", "f"]);
    }

    #[test]
    fn backspace_removes_a_character() {
        assert_eq!(lines("aé\x08b\r".as_bytes()), ["ab"]);
        assert_eq!(lines("a🦆漢\x7f\x7f\r".as_bytes()), ["a"]);
        assert_eq!(lines(b"ab\x08\x08\x08\x08c\r"), ["c"]);
        // Bytes that are no UTF-8 go without taking their neighbours along.
        assert_eq!(lines(b"a\x80\x08b\r"), ["ab"]);
        assert_eq!(lines(b"\x80\x80\x80\x80\x08b\r").len(), 1);
        assert_eq!(lines(b"x\xc3\x08y\r"), ["xy"]);
    }

    #[test]
    fn control_keys() {
        assert_eq!(lines(b"abc\x15d\r"), ["d"]);
        assert_eq!(lines(b"abc\x03d\r"), ["^C", "d"]);
        assert_eq!(lines(b"a\x00\x01\x04b\tc\r"), ["ab\tc"]);
    }

    #[test]
    fn escape_sequences_have_no_effect() {
        assert_eq!(lines(b"a\x1b[Ab\x1b[1;5Cc\x1bOPd\x1bxe\x1b[3~f\r"), ["abcdef"]);
        // A control byte ends a sequence and acts.
        assert_eq!(lines(b"a\x1b[1\rb\x1b\x03c\x1b\x1b[Ad\r"), ["a", "^C", "cd"]);
        assert_eq!(lines(b"a\x1b[12\x08b\r"), ["b"]);
    }

    #[test]
    fn a_long_line_is_counted_to_its_end() {
        let mut editor = Editor::new();
        for _ in 0..LIMIT {
            assert_eq!(editor.push(b'a'), Edit::Typed(b'a'));
        }
        assert_eq!(editor.kept().len(), LIMIT);
        assert_eq!(editor.push(b'b'), Edit::None);
        assert_eq!(editor.push(BACKSPACE), Edit::None);
        assert_eq!(editor.push(b'c'), Edit::None);
        assert_eq!(editor.push(b'\r'), Edit::Complete);
        assert_eq!(editor.take(), Err(TooLong(LIMIT + 2)));
        assert_eq!(editor.push(b'\n'), Edit::None);
        assert_eq!(editor.push(b'x'), Edit::Typed(b'x'));
        assert_eq!(editor.take().unwrap(), b"x");
    }
}

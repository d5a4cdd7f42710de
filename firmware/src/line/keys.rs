//! Decodes the bytes that a terminal sends into keys. A terminal sends a control byte for Enter or Ctrl-A, and an
//! escape sequence of several bytes for keys such as the arrows: `ESC [ A` or `ESC O A` for Up, `ESC [ 3 ~` for Delete.

/// A key, or the terminal's answer to a query. Ctrl-B, F, A, E, P and N are the same as Left, Right, Home, End, Up and
/// Down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// No key yet, because a sequence is incomplete, or a key without a meaning here.
    None,
    /// A byte of text other than TAB.
    Byte(u8),
    Tab,
    /// CR, LF or CR LF. CR LF is one key, decoded at the CR.
    Enter,
    /// Ctrl-C: abandons the line.
    Abandon,
    /// BS or DEL: removes the character before the cursor.
    Backspace,
    /// Delete or Ctrl-D: removes the character at the cursor.
    Delete,
    /// Ctrl-U: removes the line.
    Kill,
    /// Ctrl-K: removes everything from the cursor on.
    KillEnd,
    /// Ctrl-W: removes the word before the cursor.
    KillWord,
    Left,
    Right,
    Home,
    End,
    Up,
    Down,
    /// Ctrl-L: draws the line again.
    Redraw,
    /// The terminal's answer to [`ASK_TERMINAL`].
    Terminal,
}

/// The query for the "primary device attributes". A terminal that understands escape sequences answers `ESC [ ? … c`.
pub const ASK_TERMINAL: &[u8] = b"\x1b[c";

const ESC: u8 = 0x1b;

/// The position of the decoder in an escape sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In no sequence.
    Outside,
    /// After ESC.
    Begun,
    /// After ESC O: one byte follows.
    Single,
    /// After ESC [: the sequence ends with a byte from 0x40 to 0x7e.
    Sequence {
        /// The first number in the sequence so far, at most 255; 0 if there is none.
        number: u8,
        /// True until the first `;`: a digit belongs to the first number.
        is_first: bool,
        /// True after a `?`, as in the terminal's answer.
        is_private: bool,
    },
}

/// A decoder that separates text from control bytes and escape sequences.
#[derive(Debug)]
pub struct Keys {
    state: State,
    /// True if the last byte was CR, to which a following LF belongs.
    after_cr: bool,
}

impl Keys {
    /// Makes a decoder outside any sequence.
    pub const fn new() -> Self {
        Keys { state: State::Outside, after_cr: false }
    }

    /// Drops an incomplete sequence. An LF after a CR is still ignored.
    pub fn leave_sequence(&mut self) {
        self.state = State::Outside;
    }

    /// Returns true if the last byte was CR, to which a following LF belongs.
    pub fn ended_with_cr(&self) -> bool {
        self.after_cr
    }

    /// Decodes a byte.
    pub fn push(&mut self, byte: u8) -> Key {
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        // A control byte ends a sequence and keeps its own meaning.
        if byte < b' ' {
            self.state = if byte == ESC { State::Begun } else { State::Outside };
        }
        match self.state {
            State::Outside => single_byte_key(byte, after_cr),
            State::Begun if byte == ESC => Key::None,
            State::Begun => {
                self.state = match byte {
                    b'[' => State::Sequence { number: 0, is_first: true, is_private: false },
                    b'O' => State::Single,
                    _ => State::Outside,
                };
                Key::None
            }
            State::Single => {
                self.state = State::Outside;
                cursor_key(byte)
            }
            State::Sequence { number, is_first, is_private } => {
                self.push_in_sequence(byte, number, is_first, is_private)
            }
        }
    }

    /// Decodes a byte of input in which only Enter and Ctrl-C are keys.
    pub fn push_raw(&mut self, byte: u8) -> Key {
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        self.state = State::Outside;
        match byte {
            b'\n' if after_cr => Key::None,
            b'\r' | b'\n' => Key::Enter,
            0x03 => Key::Abandon,
            byte => Key::Byte(byte),
        }
    }

    /// Decodes a byte of a sequence that began with ESC [. The other parameters are the fields of [`State::Sequence`].
    fn push_in_sequence(&mut self, byte: u8, number: u8, is_first: bool, is_private: bool) -> Key {
        self.state = match byte {
            0x40..=0x7e => State::Outside,
            b'0'..=b'9' if is_first => {
                let number = number.saturating_mul(10).saturating_add(byte - b'0');
                State::Sequence { number, is_first, is_private }
            }
            byte => {
                State::Sequence { number, is_first: is_first && byte != b';', is_private: is_private || byte == b'?' }
            }
        };
        match byte {
            b'c' if is_private => Key::Terminal,
            b'~' => match number {
                1 | 7 => Key::Home,
                4 | 8 => Key::End,
                3 => Key::Delete,
                _ => Key::None,
            },
            // A byte that does not end the sequence is not among the cursor keys.
            byte => cursor_key(byte),
        }
    }
}

/// The key of a byte outside a sequence. `after_cr`: true if the byte before was CR.
fn single_byte_key(byte: u8, after_cr: bool) -> Key {
    match byte {
        b'\n' if after_cr => Key::None,
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        byte if byte >= b' ' => Key::Byte(byte),
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Abandon,
        0x04 => Key::Delete,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x0b => Key::KillEnd,
        0x0c => Key::Redraw,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x15 => Key::Kill,
        0x17 => Key::KillWord,
        _ => Key::None,
    }
}

/// The key of a sequence `ESC [ … X` or `ESC O X`, by its last byte `X`.
fn cursor_key(byte: u8) -> Key {
    match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => Key::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().map(|&byte| keys.push(byte)).filter(|key| *key != Key::None).collect()
    }

    #[test]
    fn escape_sequences_become_keys() {
        use Key::{Byte, Delete, Down, End, Home, Left, Right, Terminal, Up};
        assert_eq!(keys(b"\x1b[A\x1b[B\x1bOC\x1b[D\x1b[1;5C"), [Up, Down, Right, Left, Right]);
        assert_eq!(keys(b"\x1b[H\x1b[1~\x1b[7~\x1bOF\x1b[4~\x1b[8~\x1b[3~"), [Home, Home, Home, End, End, End, Delete]);
        assert_eq!(keys(b"\x1b[?62;22cx"), [Terminal, Byte(b'x')]);
        // Unknown sequences have no effect: function keys, Alt, very long numbers.
        assert_eq!(keys(b"\x1b[15~\x1bx\x1b[99999999999~\x1b[>0;1cy"), [Byte(b'y')]);
    }

    #[test]
    fn a_control_byte_ends_a_sequence_and_acts() {
        assert_eq!(keys(b"\x1b[1\ra"), [Key::Enter, Key::Byte(b'a')]);
        assert_eq!(keys(b"\x1b\x03\x1b\x1b[A"), [Key::Abandon, Key::Up]);
        assert_eq!(keys(b"\x1b[12\x08b"), [Key::Backspace, Key::Byte(b'b')]);
        assert_eq!(keys(b"\x1b[1\tb\x1b\tc"), [Key::Tab, Key::Byte(b'b'), Key::Tab, Key::Byte(b'c')]);
    }

    #[test]
    fn each_line_end_counts_once() {
        assert_eq!(keys(b"\r\n\n\r\r\n"), [Key::Enter; 4]);
    }
}

//! The line editor of the console: collects received bytes into a line, and edits the line at its cursor. It shows
//! nothing itself: for each byte it returns an [`Edit`], which tells the console how to update the terminal.

mod history;
mod keys;

use heapless::Vec;

use crate::features::EDITING;

use history::History;
pub use history::LIMIT;
pub use keys::ASK_TERMINAL;
use keys::{Key, Keys};

/// The effect of a byte on the line, from which the console derives what to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing to show: the line is unchanged, or the rest of a character is still to come.
    None,
    /// The byte was added at the end of the line.
    Typed(u8),
    /// The last character, one column wide, was removed.
    Erased,
    /// The cursor moved left over a character one column wide.
    Back,
    /// The cursor moved right over this character, one column wide.
    Over(u8),
    /// The line changed in another way, or Ctrl-L was typed: the whole line must be drawn again.
    Redraw,
    /// TAB was typed at the end of the line: the console completes the last word or [inserts](Editor::insert) the TAB.
    Tab,
    /// The line was abandoned with Ctrl-C, and is now empty.
    Abandoned,
    /// The line is complete and can be [taken](Editor::take).
    Complete,
    /// A terminal has answered [`ASK_TERMINAL`].
    Terminal,
}

/// The error for a line that is longer than [`LIMIT`]. Contains its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

/// A line being edited, with the decoder of keys and the history of earlier lines.
#[derive(Debug)]
pub struct Editor {
    line: Vec<u8, LIMIT>,
    /// The position at which the next byte is inserted, from 0 to the length of the line. Keys move it by whole UTF-8
    /// characters.
    cursor: usize,
    /// The number of bytes received after the line was full, which are not stored.
    excess: usize,
    keys: Keys,
    history: History,
}

impl Editor {
    /// An empty line without a history.
    pub const fn new() -> Self {
        Editor { line: Vec::new(), cursor: 0, excess: 0, keys: Keys::new(), history: History::new() }
    }

    /// Takes the line, and leaves an empty one. Fails if the line was longer than [`LIMIT`].
    pub fn take(&mut self) -> Result<Vec<u8, LIMIT>, TooLong> {
        let received = self.line.len().saturating_add(self.excess);
        let line = self.line.clone();
        self.clear();
        if received <= LIMIT { Ok(line) } else { Err(TooLong(received)) }
    }

    /// Adds a line to the history.
    pub fn remember(&mut self, line: &[u8]) {
        self.history.keep(line);
    }

    /// The stored bytes of the line so far, at most [`LIMIT`].
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The parts of the line so far before and after the cursor.
    pub fn halves(&self) -> (&[u8], &[u8]) {
        // The cursor is never beyond the line; `split_at` would add a panic to the code.
        self.line.split_at_checked(self.cursor).unwrap_or((&self.line, &[]))
    }

    /// Empties the line, and drops an incomplete escape sequence. An LF is still ignored if the last byte was CR.
    pub fn clear(&mut self) {
        self.line.clear();
        self.cursor = 0;
        self.excess = 0;
        self.keys.leave_sequence();
        self.history.rewind();
    }

    /// Empties the line, as [`clear`](Editor::clear) does, and forgets a CR before it. The history stays.
    pub fn restart(&mut self) {
        self.clear();
        self.keys = Keys::new();
    }

    /// Returns true if the last byte was CR, so that an LF after it is ignored.
    pub fn ended_with_cr(&self) -> bool {
        self.keys.ended_with_cr()
    }

    /// Returns true if `byte` is CR, LF or Ctrl-C, which end or abandon a line in [`push`](Editor::push).
    pub fn ends_line(byte: u8) -> bool {
        matches!(byte, b'\r' | b'\n' | 0x03)
    }

    /// Handles a received byte.
    pub fn push(&mut self, byte: u8) -> Edit {
        let key = self.keys.push(byte);
        // A line that is too long cannot be edited: further bytes of text are only counted, Enter ends the line, and
        // Ctrl-C and Ctrl-U empty it. Other keys have no effect.
        if self.excess > 0 && !matches!(key, Key::Byte(_) | Key::Tab | Key::Enter | Key::Abandon | Key::Kill) {
            return Edit::None;
        }
        match key {
            Key::None => Edit::None,
            Key::Byte(byte) => self.insert(byte),
            Key::Tab if self.excess == 0 && self.cursor == self.line.len() => Edit::Tab,
            Key::Tab => self.insert(b'\t'),
            Key::Enter => Edit::Complete,
            Key::Abandon => {
                self.clear();
                Edit::Abandoned
            }
            Key::Kill => {
                self.clear();
                Edit::Redraw
            }
            Key::Backspace => self.remove(self.previous(), self.cursor),
            Key::Redraw => Edit::Redraw,
            Key::Terminal => Edit::Terminal,
            _ if !EDITING => Edit::None,
            Key::KillEnd => self.remove(self.cursor, self.line.len()),
            Key::KillWord => self.remove(self.word_start(), self.cursor),
            Key::Delete => self.remove(self.cursor, self.next()),
            Key::Left => self.move_to(self.previous()),
            Key::Right => self.move_to(self.next()),
            Key::Home => self.move_to(0),
            Key::End => self.move_to(self.line.len()),
            Key::Up | Key::Down => self.recall(key == Key::Up),
        }
    }

    /// Handles a received byte without line editing, for machine mode: all bytes but CR, LF and Ctrl-C are text.
    pub fn push_raw(&mut self, byte: u8) -> Edit {
        match self.keys.push_raw(byte) {
            Key::Enter => Edit::Complete,
            Key::Abandon => {
                self.clear();
                Edit::Abandoned
            }
            Key::Byte(byte) => {
                // `Typed` even if `insert` only counts the byte: the checksum of machine mode covers all bytes.
                self.insert(byte);
                Edit::Typed(byte)
            }
            _ => Edit::None,
        }
    }

    /// Inserts a byte of text at the cursor. If the line is full, only counts the byte.
    pub fn insert(&mut self, byte: u8) -> Edit {
        let at_end = self.cursor == self.line.len();
        if self.excess > 0 || self.line.is_full() {
            self.excess = self.excess.saturating_add(1);
            return Edit::None;
        }
        // Moves each byte from the cursor on to the next place, without `Vec::insert`, which can panic. `carried` is
        // the byte for the place that the loop has reached, and after the loop the last byte of the line.
        let mut carried = byte;
        for place in self.line.get_mut(self.cursor..).unwrap_or_default() {
            core::mem::swap(place, &mut carried);
        }
        let pushed = self.line.push(carried);
        debug_assert!(pushed.is_ok(), "the line is not full");
        self.cursor += 1;
        match byte {
            byte if at_end => Edit::Typed(byte),
            // The first byte of a character of several bytes: the line is redrawn after each of the bytes that follow.
            0xc0.. => Edit::None,
            _ => Edit::Redraw,
        }
    }

    /// Moves the cursor to the position `to`.
    fn move_to(&mut self, to: usize) -> Edit {
        let from = core::mem::replace(&mut self.cursor, to);
        let passed = self.line.get(from.min(to)..from.max(to)).unwrap_or(&[]);
        match *passed {
            [] => Edit::None,
            [byte] if byte.is_ascii() && to < from => Edit::Back,
            [byte] if byte.is_ascii() => Edit::Over(byte),
            _ => Edit::Redraw,
        }
    }

    /// Removes the bytes `from..to` of the line. The cursor must be at `from` or at `to`.
    fn remove(&mut self, from: usize, to: usize) -> Edit {
        let removed = self.line.get(from..to).unwrap_or(&[]);
        let edit = match *removed {
            [] => return Edit::None,
            [byte] if byte.is_ascii() && to == self.line.len() && self.cursor == to => Edit::Erased,
            _ => Edit::Redraw,
        };
        self.line.copy_within(to.., from);
        self.line.truncate(self.line.len() - (to - from));
        self.cursor = from;
        edit
    }

    /// Replaces the line with the next older or, if not `is_older`, the next newer line of the history.
    fn recall(&mut self, is_older: bool) -> Edit {
        let Editor { line, history, cursor, .. } = self;
        let recalled = if is_older { history.older(line) } else { history.newer() };
        let Some(recalled) = recalled else { return Edit::None };
        line.clear();
        let copied = line.extend_from_slice(recalled);
        debug_assert!(copied.is_ok(), "no line in the history is longer than the limit");
        *cursor = line.len();
        Edit::Redraw
    }

    /// The position at which the character before the cursor begins. The line need not be valid UTF-8: up to three
    /// continuation bytes without a first byte count as one character.
    fn previous(&self) -> usize {
        let before = self.halves().0;
        let continuations = before.iter().rev().take(3).take_while(|byte| is_continuation(**byte)).count();
        let start = before.len().saturating_sub(continuations + 1);
        match before.get(start) {
            // The byte before the continuations is not their first byte: it is ASCII, or a fourth continuation.
            Some(&first) if continuations > 0 && first < 0xc0 => before.len() - continuations,
            _ => start,
        }
    }

    /// The position at which the character at the cursor ends; the cursor itself at the end of the line.
    fn next(&self) -> usize {
        match self.halves().1 {
            [] => self.cursor,
            [_, after @ ..] => {
                self.cursor + 1 + after.iter().take(3).take_while(|byte| is_continuation(**byte)).count()
            }
        }
    }

    /// The position at which the word before the cursor begins. Spaces between the word and the cursor are skipped.
    fn word_start(&self) -> usize {
        let before = self.halves().0.trim_ascii_end();
        before.iter().rposition(|byte| byte.is_ascii_whitespace()).map_or(0, |space| space + 1)
    }
}

/// Returns true if `byte` is 0b10xx_xxxx, as all bytes of a UTF-8 character after its first are.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests;

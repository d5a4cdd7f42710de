//! The history of typed lines, for the arrow keys.

use heapless::Vec;

use crate::features::EDITING;

/// The longest line, in bytes.
pub const LIMIT: usize = 256;
/// Bytes of storage for all lines together, each with an LF at its end, if the feature `editing` is on.
const EDITING_CAPACITY: usize = 512;
/// Bytes of storage for the lines in this build. Without the feature `editing` nothing is stored.
const CAPACITY: usize = if EDITING { EDITING_CAPACITY } else { 0 };
/// Bytes of storage for the line being typed.
const DRAFT_CAPACITY: usize = if EDITING { LIMIT } else { 0 };

const _: () = assert!(EDITING_CAPACITY > LIMIT, "the longest line fits");

/// The earlier lines, and the position in them that the arrow keys have reached.
#[derive(Debug)]
pub struct History {
    /// The lines, oldest first, each ending with LF. The oldest are dropped to make room for a new one.
    lines: Vec<u8, CAPACITY>,
    /// The index of the line being shown, 0 for the newest; `None` if the line being typed is shown.
    shown: Option<usize>,
    /// A copy of the line being typed, while an earlier line is shown in its place.
    draft: Vec<u8, DRAFT_CAPACITY>,
}

impl History {
    /// An empty history.
    pub const fn new() -> Self {
        History { lines: Vec::new(), shown: None, draft: Vec::new() }
    }

    /// Adds a line, unless it is empty, equal to the newest, or contains LF, which ends a line in the storage. Returns
    /// to the line being typed.
    pub fn keep(&mut self, line: &[u8]) {
        self.shown = None;
        if !EDITING || line.is_empty() || line.contains(&b'\n') || self.line(0) == Some(line) {
            return;
        }
        // Drops the oldest lines until the new line and its LF fit.
        while self.lines.capacity() - self.lines.len() <= line.len() {
            let oldest_len = self.lines.iter().position(|&byte| byte == b'\n').map_or(self.lines.len(), |end| end + 1);
            if oldest_len == 0 {
                // No line is left to drop: the new line is longer than the storage, and so longer than `LIMIT`.
                return;
            }
            let remaining_len = self.lines.len() - oldest_len;
            self.lines.copy_within(oldest_len.., 0);
            self.lines.truncate(remaining_len);
        }
        let stored = self.lines.extend_from_slice(line);
        debug_assert!(stored.is_ok());
        let _ = self.lines.push(b'\n');
    }

    /// Moves to the next older line than the one being shown, and returns it; `None` if there is none. `current` is the
    /// line in the editor: it is kept as the draft unless an earlier line is being shown.
    pub fn older(&mut self, current: &[u8]) -> Option<&[u8]> {
        let older = self.shown.map_or(0, |shown| shown + 1);
        self.line(older)?;
        if self.shown.is_none() {
            self.draft.clear();
            let _ = self.draft.extend_from_slice(current);
        }
        self.shown = Some(older);
        self.line(older)
    }

    /// Moves to the next newer line than the one being shown, or from the newest to the draft, and returns it; `None`
    /// if the line being typed is already shown.
    pub fn newer(&mut self) -> Option<&[u8]> {
        let shown = self.shown?;
        self.shown = shown.checked_sub(1);
        match self.shown {
            Some(shown) => self.line(shown),
            None => Some(&self.draft),
        }
    }

    /// Moves to the line being typed.
    pub fn rewind(&mut self) {
        self.shown = None;
    }

    /// The line with this index, 0 for the newest; `None` if there is no such line.
    fn line(&self, index: usize) -> Option<&[u8]> {
        // Without the LF of the newest line, `rsplit` gives exactly the lines.
        self.lines.strip_suffix(b"\n")?.rsplit(|&byte| byte == b'\n').nth(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_recalled_in_both_directions() {
        let mut history = History::new();
        assert_eq!(history.older(b"x"), None);
        for line in [&b"one"[..], b"two", b"two", b"", b"three"] {
            history.keep(line);
        }
        assert_eq!(history.older(b"dra"), Some(&b"three"[..]));
        assert_eq!(history.older(b"three"), Some(&b"two"[..]));
        assert_eq!(history.older(b"two"), Some(&b"one"[..]));
        assert_eq!(history.older(b"one"), None);
        assert_eq!(history.newer(), Some(&b"two"[..]));
        assert_eq!(history.newer(), Some(&b"three"[..]));
        assert_eq!(history.newer(), Some(&b"dra"[..]));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_oldest_lines_are_dropped() {
        let mut history = History::new();
        for i in 0..100u8 {
            history.keep(&[b'a' + i % 26; 100]);
        }
        // Five lines of 101 bytes fit.
        for i in (95..100u8).rev() {
            assert_eq!(history.older(b""), Some(&[b'a' + i % 26; 100][..]));
        }
        assert_eq!(history.older(b""), None);
        history.keep(&[b'z'; LIMIT]);
        assert_eq!(history.older(b""), Some(&[b'z'; LIMIT][..]));
    }
}

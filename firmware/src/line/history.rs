//! The lines typed before.

use heapless::Vec;

use super::LIMIT;

/// Bytes kept of lines and of the byte that ends each.
const CAPACITY: usize = 512;

const _: () = assert!(CAPACITY > LIMIT, "the longest line fits");

/// Lines, the oldest first; where a new one does not fit, the oldest go.
#[derive(Debug)]
pub struct History {
    /// Each line ends with LF, which none contains.
    lines: Vec<u8, CAPACITY>,
    /// Which line is shown, 0 the newest; none: the one being typed.
    shown: Option<usize>,
    /// The line being typed, while another is shown.
    draft: Vec<u8, LIMIT>,
}

impl History {
    /// No lines.
    pub const fn new() -> Self {
        History { lines: Vec::new(), shown: None, draft: Vec::new() }
    }

    /// Keeps a line, unless it is empty or the newest already.
    pub fn keep(&mut self, line: &[u8]) {
        self.shown = None;
        if line.is_empty() || line.contains(&b'\n') || self.line(0) == Some(line) {
            return;
        }
        while self.lines.capacity() - self.lines.len() <= line.len() {
            let oldest = self.lines.iter().position(|&byte| byte == b'\n').map_or(self.lines.len(), |end| end + 1);
            if oldest == 0 {
                return;
            }
            let left = self.lines.len() - oldest;
            self.lines.copy_within(oldest.., 0);
            self.lines.truncate(left);
        }
        // There is room for both.
        let _ = self.lines.extend_from_slice(line);
        let _ = self.lines.push(b'\n');
    }

    /// The line before the one shown; `current` is what is being typed. None: there is none.
    pub fn older(&mut self, current: &[u8]) -> Option<&[u8]> {
        let next = self.shown.map_or(0, |shown| shown + 1);
        self.line(next)?;
        if self.shown.is_none() {
            self.draft.clear();
            let _ = self.draft.extend_from_slice(current);
        }
        self.shown = Some(next);
        self.line(next)
    }

    /// The line after the one shown, at last the one that was being typed. None: that one is shown.
    pub fn newer(&mut self) -> Option<&[u8]> {
        let shown = self.shown?;
        self.shown = shown.checked_sub(1);
        match self.shown {
            Some(shown) => self.line(shown),
            None => Some(&self.draft),
        }
    }

    /// The line is done with: the next begins at the newest.
    pub fn rewind(&mut self) {
        self.shown = None;
    }

    fn line(&self, back: usize) -> Option<&[u8]> {
        let ended = self.lines.strip_suffix(b"\n")?;
        ended.rsplit(|&byte| byte == b'\n').nth(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth() {
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
    fn the_oldest_make_room() {
        let mut history = History::new();
        for i in 0..100u8 {
            history.keep(&[b'a' + i % 26; 100]);
        }
        // 5 lines of 101 bytes fit.
        for i in (95..100u8).rev() {
            assert_eq!(history.older(b""), Some(&[b'a' + i % 26; 100][..]));
        }
        assert_eq!(history.older(b""), None);
        history.keep(&[b'z'; LIMIT]);
        assert_eq!(history.older(b""), Some(&[b'z'; LIMIT][..]));
    }
}

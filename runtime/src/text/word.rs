//! Which characters make words, and which are white space.

use super::runs::{Run, Table};

/// Ranges of word characters beyond ASCII, ascending: `first << 11 | length - 1`.
const RANGES: &[u32] = &include!("tables/word.in");

pub(super) const RUNS: [Run; RANGES.len()] = {
    let mut runs = [Run { first: 0, span: 0, added: 0 }; RANGES.len()];
    let mut at = 0;
    while at < RANGES.len() {
        runs[at] = Run { first: RANGES[at] >> 11, span: (RANGES[at] & 0x7ff) + 1, added: 0 };
        at += 1;
    }
    runs
};

/// Whether a character belongs to `\w` of Unicode's regular expressions (UTS #18, annex C): Alphabetic, Mark, Decimal_Number,
/// Connector_Punctuation and Join_Control, of Unicode 16.0.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    Table::Words.find(c).is_some()
}

/// Whether a character is White_Space: `char::is_whitespace` without its table.
pub(super) fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r'
            | ' '
            | '\u{85}'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
    )
}

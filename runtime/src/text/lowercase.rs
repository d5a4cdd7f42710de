//! Lower case.

use super::runs::{Run, Table};

/// Runs of characters beyond ASCII that have a lower case, ascending. First: `first << 11 | count - 1`; second: what is added to each, to
/// every second character where that is 1.
const LOWER: &[(u32, i32)] = &include!("tables/lower.in");

pub(super) const RUNS: [Run; LOWER.len()] = {
    let mut runs = [Run { first: 0, span: 0, added: 0 }; LOWER.len()];
    let mut at = 0;
    while at < LOWER.len() {
        let (run, added) = LOWER[at];
        let steps = run & 0x7ff;
        runs[at] = Run { first: run >> 11, span: if added == 1 { 2 * steps } else { steps } + 1, added };
        at += 1;
    }
    runs
};

/// The lower case of a character: one character, or two for U+0130 alone (`i` and U+0307). The same as `char::to_lowercase`
/// of Unicode 17.0, without its 11 KB of tables.
pub fn lowercase(c: char) -> impl Iterator<Item = char> {
    let (first, second) = if c == TWO { ('i', Some(SECOND)) } else { (single(c), None) };
    core::iter::once(first).chain(second)
}

/// The one character whose lower case is two: `i`, and then this.
pub(super) const TWO: char = '\u{130}';
pub(super) const SECOND: char = '\u{307}';

/// The lower case of any other character.
pub(super) fn single(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    Table::Lower.find(c).and_then(|added| char::from_u32(u32::from(c).wrapping_add_signed(added))).unwrap_or(c)
}

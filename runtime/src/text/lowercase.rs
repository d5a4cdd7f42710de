//! Lower case of characters.

use super::runs::Table;

/// The lower case of a character: one character, or two for U+0130 alone (`i` and U+0307). The same as
/// `char::to_lowercase` of Unicode 17.0, without its 11 KB of tables.
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

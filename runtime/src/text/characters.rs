//! The classes of characters that the tokenizers distinguish (word characters, white space), and their lower case.

use super::runs::Table;

/// Returns true if a character belongs to `\w` of Unicode's regular expressions (UTS #18, annex C): Alphabetic, Mark,
/// Decimal_Number, Connector_Punctuation and Join_Control, of Unicode 16.0.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    Table::Words.find(c).is_some()
}

/// Returns true if a character is White_Space, as `char::is_whitespace` does, but without a table.
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

/// The only character whose lower case has two characters: `i` and [`COMBINING_DOT`].
pub(super) const CAPITAL_I_WITH_DOT: char = '\u{130}';
pub(super) const COMBINING_DOT: char = '\u{307}';

/// Returns the lower case of a character: two characters for U+0130 (`i` and U+0307), one for every other. The result
/// is that of `char::to_lowercase` in Unicode 17.0, without its 11 KB of tables.
pub fn lowercase(c: char) -> impl Iterator<Item = char> {
    let (first, second) =
        if c == CAPITAL_I_WITH_DOT { ('i', Some(COMBINING_DOT)) } else { (lowercase_of_other(c), None) };
    core::iter::once(first).chain(second)
}

/// Returns the lower case of any character but [`CAPITAL_I_WITH_DOT`].
pub(super) fn lowercase_of_other(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // A character that is not in the table is its own lower case.
    Table::Lower.find(c).and_then(|offset| char::from_u32(u32::from(c).wrapping_add_signed(offset))).unwrap_or(c)
}

//! The classes of characters: word characters and white space.

use super::runs::Table;

/// Returns true if a character belongs to `\w` of Unicode's regular expressions (UTS #18, annex C): Alphabetic, Mark,
/// Decimal_Number, Connector_Punctuation and Join_Control, of Unicode 16.0.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    Table::Words.find(c).is_some()
}

/// Returns true if a character is White_Space: `char::is_whitespace` without its table.
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

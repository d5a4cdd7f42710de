//! Which characters make words.

/// Ranges of word characters beyond ASCII, ascending: `first << 11 | length - 1`.
static WORD: &[u32] = &include!("tables/word.in");

/// Whether a character belongs to `\w` of Unicode's regular expressions (UTS #18, annex C): Alphabetic, Mark, Decimal_Number,
/// Connector_Punctuation and Join_Control, of Unicode 16.0.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let code = u32::from(c);
    let after = WORD.partition_point(|&range| range >> 11 <= code);
    match after.checked_sub(1).and_then(|i| WORD.get(i)) {
        Some(range) => code - (range >> 11) <= (range & 0x7ff),
        None => false,
    }
}

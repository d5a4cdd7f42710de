//! Lists of words, separated by `, `: so that each takes no more than its letters.

/// The place of a word in a list; an empty one is in none.
pub(super) fn position(found: &[u8], list: &str) -> Option<u8> {
    // Bytes, because splitting a `str` by a pattern links a panic.
    let mut words = list.as_bytes().split(|&byte| byte == b',');
    let is_it = |word: &[u8]| !found.is_empty() && word.strip_prefix(b" ").unwrap_or(word) == found;
    words.position(is_it).map(|position| position as u8)
}

/// The word at a place of a list.
pub(super) fn nth(list: &'static str, position: usize) -> &'static str {
    let word = list.as_bytes().split(|&byte| byte == b',').nth(position).unwrap_or(b"");
    core::str::from_utf8(word.strip_prefix(b" ").unwrap_or(word)).unwrap_or("")
}

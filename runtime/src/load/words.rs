//! Lists of words, separated by `, `.

/// How many words a list has.
pub(crate) const fn count(list: &str) -> usize {
    let (mut rest, mut count) = (list.as_bytes(), 1);
    while let Some((&byte, after)) = rest.split_first() {
        count += (byte == b',') as usize;
        rest = after;
    }
    count
}

/// The first `count` words of a list.
pub(crate) const fn first(list: &'static str, mut count: usize) -> &'static str {
    let bytes = list.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        count -= (bytes[at] == b',') as usize;
        if count == 0 {
            return list.split_at(at).0;
        }
        at += 1;
    }
    list
}

/// The words of a list.
pub(crate) fn each(list: &'static str) -> impl Iterator<Item = &'static str> {
    // Bytes, because splitting a `str` by a pattern links a panic.
    let words = list.as_bytes().split(|&byte| byte == b',');
    words.map(|word| core::str::from_utf8(word.strip_prefix(b" ").unwrap_or(word)).unwrap_or(""))
}

/// The word at a place of a list.
pub(crate) fn nth(list: &'static str, position: usize) -> &'static str {
    each(list).nth(position).unwrap_or("")
}

//! Lists of names that are separated by `, `.

/// The number of names in a list.
pub(crate) const fn count(list: &str) -> usize {
    let (mut rest, mut count) = (list.as_bytes(), 1);
    while let Some((&byte, after)) = rest.split_first() {
        count += (byte == b',') as usize;
        rest = after;
    }
    count
}

/// The first `count` names of a list.
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

/// The names of a list.
pub(crate) fn each(list: &'static str) -> impl Iterator<Item = &'static str> {
    // Splits bytes: `str::split` would add code that can panic, which the firmware excludes.
    let words = list.as_bytes().split(|&byte| byte == b',');
    words.map(|word| core::str::from_utf8(word.strip_prefix(b" ").unwrap_or(word)).unwrap_or(""))
}

/// The name at an index of a list; empty beyond the last.
pub(crate) fn nth(list: &'static str, position: usize) -> &'static str {
    each(list).nth(position).unwrap_or("")
}

//! Lists of names that are separated by `, `.

/// The number of names in a list.
pub(super) const fn count(list: &str) -> usize {
    let (mut letters, mut count) = (list.as_bytes(), 1);
    while let Some((&letter, rest)) = letters.split_first() {
        count += (letter == b',') as usize;
        letters = rest;
    }
    count
}

/// The first `count` names of a list, at least one; the whole list if it has no more.
pub(super) const fn first(list: &'static str, count: usize) -> &'static str {
    let bytes = list.as_bytes();
    let (mut commas, mut index) = (0, 0);
    while index < bytes.len() {
        commas += (bytes[index] == b',') as usize;
        if commas == count {
            return list.split_at(index).0;
        }
        index += 1;
    }
    list
}

/// The names of a list.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn names(list: &'static str) -> impl Iterator<Item = &'static str> {
    // Bytes are split, because `str::split` would add code that can panic, which the firmware excludes.
    let bytes_of_names = list.as_bytes().split(|&byte| byte == b',');
    bytes_of_names.map(|name| core::str::from_utf8(name.strip_prefix(b" ").unwrap_or(name)).unwrap_or(""))
}

/// The name at an index of a list; empty beyond the last.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn nth(list: &'static str, index: usize) -> &'static str {
    names(list).nth(index).unwrap_or("")
}

//! Lower case.

/// Runs of characters beyond ASCII that have a lower case, ascending. First: `first << 11 | (count - 1) << 1 | s`, where
/// every character (`s` = 0) or every second one (`s` = 1) counts; second: what is added to each.
static LOWER: &[(u32, i32)] = &include!("tables/lower.in");

/// The lower case of a character: one character, or two for U+0130 alone (`i` and U+0307). The same as `char::to_lowercase`
/// of Unicode 17.0, without its 11 KB of tables.
pub fn lowercase(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'A'..='Z' | '\0'..='\x7f' => (c.to_ascii_lowercase(), None),
        '\u{130}' => ('i', Some('\u{307}')),
        _ => (simple(c), None),
    };
    core::iter::once(first).chain(second)
}

fn simple(c: char) -> char {
    let code = u32::from(c);
    let after = LOWER.partition_point(|&(run, _)| run >> 11 <= code);
    let Some(&(run, delta)) = after.checked_sub(1).and_then(|i| LOWER.get(i)) else {
        return c;
    };
    let (offset, stride) = (code - (run >> 11), run & 1);
    if offset >> stride > (run >> 1 & 0x3ff) || offset & stride != 0 {
        return c;
    }
    char::from_u32(code.wrapping_add_signed(delta)).unwrap_or(c)
}

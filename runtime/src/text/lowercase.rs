//! Lower case.

use super::runs::{Packed, Run, Runs};

/// Runs of characters beyond ASCII that have a lower case, ascending. First: `first << 11 | (count - 1) << 1 | s`, where
/// every character (`s` = 0) or every second one (`s` = 1) counts; second: what is added to each.
const RUNS: &[(u32, i32)] = &include!("tables/lower.in");

/// Of each run is said: twice what is added, of a number below zero the complement of that; then all times two, and `s`.
const PACKED: Packed = {
    let mut runs = [Run { first: 0, span: 0, more: 0 }; RUNS.len()];
    let mut at = 0;
    while at < RUNS.len() {
        let (run, delta) = RUNS[at];
        let (steps, s) = (run >> 1 & 0x3ff, run & 1);
        runs[at] = Run { first: run >> 11, span: (steps << s) + 1, more: ((delta << 1 ^ delta >> 31) as u32) << 1 | s };
        at += 1;
    }
    Packed::of(&runs, true)
};
static INDEX: [u32; PACKED.blocks] = PACKED.index();
static HALVES: [u8; PACKED.bytes()] = PACKED.halves();
static LOWER: Runs = Runs { index: &INDEX, halves: &HALVES, says_more: true };

/// The lower case of a character: one character, or two for U+0130 alone (`i` and U+0307). The same as `char::to_lowercase`
/// of Unicode 17.0, without its 11 KB of tables.
pub fn lowercase(c: char) -> impl Iterator<Item = char> {
    let (first, second) = in_two(c);
    core::iter::once(first).chain(second)
}

/// [`lowercase`]: one character, and maybe another.
pub(super) fn in_two(c: char) -> (char, Option<char>) {
    match c {
        '\0'..='\x7f' => (c.to_ascii_lowercase(), None),
        '\u{130}' => ('i', Some('\u{307}')),
        _ => (simple(c), None),
    }
}

fn simple(c: char) -> char {
    match LOWER.find(c) {
        Some((into, more)) if into & more & 1 == 0 => {
            let delta = (more >> 2) as i32 ^ -((more >> 1 & 1) as i32);
            char::from_u32(u32::from(c).wrapping_add_signed(delta)).unwrap_or(c)
        }
        _ => c,
    }
}

//! Two tables of Unicode characters, packed at compile time into less than 4 KB: the word characters, and the lower
//! case of characters. [`Table::find`] looks up a character, [`Packed::with`] packs a table.
//!
//! A table lists runs of consecutive characters. In the table of lower case, either all characters of a run have the
//! same offset to their lower case, or every second one has the offset 1 (`ĀāĂă…`).
//!
//! A run is stored as two or three numbers: the distance from the end of the previous run; the number of characters
//! that it spans, less one; and in the table of lower case a code for its offset, which is 0 if every second character
//! has the offset 1, and otherwise 1 plus the zigzag code of the difference from the previous offset in the same block.
//!
//! A number is stored in digits of 4 bits: the last digit is 0 to 9, all digits before it are 10 to 15. The number is
//! 10 times the number before the last digit, plus the last digit. The digits before the last are a number in bijective
//! base 6: the digit d counts d − 9, which is 1 to 6. So every number has exactly one code.
//!
//! Runs are in blocks of 32; an index stores where each block begins, so that a look-up reads one block.

/// The number of runs in a block.
const BLOCK: usize = 32;
/// The first number beyond all characters, with which every table ends.
const BEYOND: u32 = 0x11_0000;
/// The number of values that the last digit of a number can have: 0 to 9.
const LAST_DIGITS: u32 = 10;
/// The number of values that each digit before the last can have: 10 to 15.
const OTHER_DIGITS: u32 = 16 - LAST_DIGITS;

/// A run of characters before it is packed.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The first character.
    pub first: u32,
    /// The number of characters that the run spans, at least 1.
    pub span: u32,
    /// The offset from a character to its lower case; 0 in a table without offsets. An offset of 1 is that of every
    /// second character, beginning with the first; the others are lower case already.
    pub offset: i32,
}

impl Run {
    const EMPTY: Run = Run { first: 0, span: 0, offset: 0 };
}

/// Ranges of word characters beyond ASCII, ascending: `first << 11 | length - 1`.
const RANGES: &[u32] = &include!("tables/word.in");

const WORD_RUNS: [Run; RANGES.len()] = {
    let (mut runs, mut index) = ([Run::EMPTY; RANGES.len()], 0);
    while index < RANGES.len() {
        runs[index] = Run { first: RANGES[index] >> 11, span: (RANGES[index] & 0x7ff) + 1, offset: 0 };
        index += 1;
    }
    runs
};

/// Runs of characters beyond ASCII that have a lower case, ascending: `(first << 11 | count - 1, offset)`, for `count`
/// characters with a lower case. If the offset is 1, each of them is followed by its lower case.
const LOWER: &[(u32, i32)] = &include!("tables/lower.in");

const LOWER_RUNS: [Run; LOWER.len()] = {
    let (mut runs, mut index) = ([Run::EMPTY; LOWER.len()], 0);
    while index < LOWER.len() {
        let (first_and_count, offset) = LOWER[index];
        // The index of the last character with a lower case among those of the run. The span ends with this character.
        let last = first_and_count & 0x7ff;
        let span = (if offset == 1 { 2 * last } else { last }) + 1;
        runs[index] = Run { first: first_and_count >> 11, span, offset };
        index += 1;
    }
    runs
};

/// The table of word characters, packed.
const WORDS: Packed = Packed::EMPTY.with(&WORD_RUNS, false);
/// Both tables, packed.
const BOTH: Packed = WORDS.with(&LOWER_RUNS, true);

/// One entry for each block of the table of words, then of the table of lower case: the end of the run before the block
/// in the upper 20 bits, the index of the block's first digit in the lower 12 bits.
static INDEX: [u32; BOTH.blocks] = first_of(&BOTH.index);
/// The digits of both tables, two in a byte, the lower half first.
static DIGITS: [u8; BOTH.digit_count.div_ceil(2)] = first_of(&BOTH.digits);

/// A table of the characters from U+0080 on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// The word characters, with an offset of 0.
    Words,
    /// The characters with a lower case, with the offset from the character to its lower case; and the characters
    /// between those of a run with the offset 1, with an offset of 0.
    Lower,
}

impl Table {
    /// Returns the offset of a character; none for ASCII and for characters that are not in the table.
    pub(super) fn find(self, c: char) -> Option<i32> {
        let code = u32::from(c);
        let (words, lower) = INDEX.split_at(WORDS.blocks);
        let has_offsets = self == Table::Lower;
        let index = if has_offsets { lower } else { words };
        let entry = index.iter().take_while(|&&entry| entry >> 12 <= code).last()?;
        // `end`: the end of the previous run.
        let (mut end, mut digit_index, mut previous_offset) = (entry >> 12, (entry & 0xfff) as usize, 0);
        // Reads the next number of the block.
        let mut read_number = move || {
            let mut number = 0;
            loop {
                let byte = DIGITS.get(digit_index / 2).copied().unwrap_or(0);
                let digit = u32::from(byte >> (digit_index % 2 * 4) & 0xf);
                digit_index += 1;
                if digit < LAST_DIGITS {
                    return number * LAST_DIGITS + digit;
                }
                number = number * OTHER_DIGITS + (digit - LAST_DIGITS) + 1;
            }
        };
        loop {
            // The distance from the first character of the run; none if the character is before it.
            let distance = code.checked_sub(end + read_number())?;
            let span = read_number() + 1;
            // In a table without offsets, the code 1 gives the offset 0.
            let offset_code = if has_offsets { read_number() } else { 1 };
            let offset = if offset_code == 0 {
                // Every second character, beginning with the first, has the offset 1, the others 0.
                !distance as i32 & 1
            } else {
                previous_offset += unzigzag(offset_code - 1);
                previous_offset
            };
            if distance < span {
                return Some(offset);
            }
            end = code - distance + span;
        }
    }
}

/// Returns the zigzag code: 0, −1, 1, −2, … become 0, 1, 2, 3, …
const fn zigzag(v: i32) -> u32 {
    (v << 1 ^ v >> 31) as u32
}

/// The inverse of [`zigzag`].
fn unzigzag(n: u32) -> i32 {
    (n >> 1) as i32 ^ -((n & 1) as i32)
}

/// Tables while they are packed at compile time, in arrays that are larger than needed.
struct Packed {
    index: [u32; 64],
    digits: [u8; 2_048],
    blocks: usize,
    digit_count: usize,
}

impl Packed {
    const EMPTY: Packed = Packed { index: [0; 64], digits: [0; 2_048], blocks: 0, digit_count: 0 };

    /// Packs the runs of one more table, in ascending order. In a table without offsets, adjacent runs are joined.
    const fn with(mut self, runs: &[Run], has_offsets: bool) -> Self {
        // `end`: the end of the previous run, at first that of ASCII; `next`: the index of the next run;
        // `packed_count`: the number of runs that are packed, less than `next` if some are joined.
        let (mut end, mut next, mut packed_count, mut previous_offset) = (0x80, 0, 0, 0);
        while next < runs.len() {
            if packed_count % BLOCK == 0 {
                assert!(end < 1 << 20 && self.digit_count < 1 << 12);
                self.index[self.blocks] = end << 12 | self.digit_count as u32;
                self.blocks += 1;
                previous_offset = 0;
            }
            let Run { first, mut span, offset } = runs[next];
            next += 1;
            while !has_offsets && next < runs.len() && runs[next].first == first + span {
                span += runs[next].span;
                next += 1;
            }
            self.push(first - end);
            self.push(span - 1);
            if has_offsets && offset == 1 {
                self.push(0);
            } else if has_offsets {
                self.push(zigzag(offset - previous_offset) + 1);
                previous_offset = offset;
            }
            (end, packed_count) = (first + span, packed_count + 1);
        }
        self.push(BEYOND - end);
        self
    }

    /// Appends the digits of a number.
    const fn push(&mut self, number: u32) {
        // The digits are computed from the last to the first; the second loop reverses them. `leading`: the number that
        // the digits before `digit` stand for.
        let (mut digit, mut leading) = (number % LAST_DIGITS, number / LAST_DIGITS);
        let mut digits = [0; 16];
        let mut count = 0;
        loop {
            digits[count] = digit;
            count += 1;
            if leading == 0 {
                break;
            }
            // A digit of bijective base 6 is 1 to 6, not 0 to 5: hence `- 1`.
            (digit, leading) = ((leading - 1) % OTHER_DIGITS + LAST_DIGITS, (leading - 1) / OTHER_DIGITS);
        }
        while count > 0 {
            count -= 1;
            self.digits[self.digit_count / 2] |= (digits[count] as u8) << (self.digit_count % 2 * 4);
            self.digit_count += 1;
        }
    }
}

/// Returns the first `N` elements of `all`.
const fn first_of<T: Copy, const N: usize>(all: &[T]) -> [T; N] {
    *all.first_chunk().unwrap()
}

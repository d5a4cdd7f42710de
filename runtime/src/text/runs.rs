//! Tables of characters that fit a small flash: runs of them, packed when the crate is compiled.
//!
//! A table is a row of numbers, for each run: how far it begins from the end of the one before, how many characters it spans less one, and,
//! where the table says more of a run, that. A number is written in groups of three bits, the highest first, each in half a byte; the
//! upper bit says that another follows. An index says where every so many runs begin, so that a look-up reads no more than these.

/// Runs between two entries of an index.
const BLOCK: usize = 32;
/// Beyond all characters: where the last run, which is none, begins.
const BEYOND: u32 = 0x11_0000;

/// A run to be packed.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// Its first character.
    pub first: u32,
    /// How many characters it spans, at least 1.
    pub span: u32,
    /// What the table says of it; 0 in tables that say nothing.
    pub more: u32,
}

/// A packed table of characters from U+0080 on.
pub(super) struct Runs {
    /// The end of the run before the block, then at which half of a byte the block begins: 20 and 12 bits.
    pub index: &'static [u32],
    /// Two halves a byte, the lower one first.
    pub halves: &'static [u8],
    /// Whether the runs say more.
    pub says_more: bool,
}

impl Runs {
    /// How far into its run a character is, and what is said of the run.
    pub(super) fn find(&self, c: char) -> Option<(u32, u32)> {
        let code = u32::from(c);
        let after = self.index.partition_point(|&entry| entry >> 12 <= code);
        let entry = self.index.get(after.wrapping_sub(1))?;
        let (mut end, mut at) = (entry >> 12, (entry & 0xfff) as usize);
        let mut number = || {
            let mut number = 0;
            loop {
                let half = self.halves.get(at / 2).map_or(0, |byte| byte >> (at % 2 * 4) & 0xf);
                at += 1;
                number = number << 3 | u32::from(half & 7);
                if half < 8 {
                    return number;
                }
            }
        };
        loop {
            let into = code.checked_sub(end + number())?;
            let (span, more) = (number() + 1, if self.says_more { number() } else { 0 });
            if into < span {
                return Some((into, more));
            }
            end = code - into + span;
        }
    }
}

/// A table while it is packed, larger than any.
pub(super) struct Packed {
    index: [u32; 64],
    halves: [u8; 2_048],
    pub blocks: usize,
    at: usize,
}

impl Packed {
    /// Packs runs in rising order; those that touch become one where nothing more is said of them.
    pub(super) const fn of(runs: &[Run], says_more: bool) -> Self {
        let mut packed = Packed { index: [0; 64], halves: [0; 2_048], blocks: 0, at: 0 };
        let (mut end, mut from, mut count) = (0x80, 0, 0);
        while from < runs.len() {
            if count % BLOCK == 0 {
                assert!(end < 1 << 20 && packed.at < 1 << 12);
                packed.index[packed.blocks] = end << 12 | packed.at as u32;
                packed.blocks += 1;
            }
            let Run { first, mut span, more } = runs[from];
            from += 1;
            while !says_more && from < runs.len() && runs[from].first == first + span {
                span += runs[from].span;
                from += 1;
            }
            packed.push(first - end);
            packed.push(span - 1);
            if says_more {
                packed.push(more);
            }
            (end, count) = (first + span, count + 1);
        }
        packed.push(BEYOND - end);
        packed
    }

    const fn push(&mut self, number: u32) {
        let mut groups = 1;
        while number >> (3 * groups) != 0 {
            groups += 1;
        }
        while groups > 0 {
            groups -= 1;
            let more = if groups > 0 { 8 } else { 0 };
            let half = (number >> (3 * groups) & 7) as u8 | more;
            self.halves[self.at / 2] |= half << (self.at % 2 * 4);
            self.at += 1;
        }
    }

    /// Bytes that the halves take.
    pub(super) const fn bytes(&self) -> usize {
        self.at.div_ceil(2)
    }

    pub(super) const fn index<const BLOCKS: usize>(&self) -> [u32; BLOCKS] {
        let mut index = [0; BLOCKS];
        let mut at = 0;
        while at < BLOCKS {
            index[at] = self.index[at];
            at += 1;
        }
        index
    }

    pub(super) const fn halves<const BYTES: usize>(&self) -> [u8; BYTES] {
        let mut halves = [0; BYTES];
        let mut at = 0;
        while at < BYTES {
            halves[at] = self.halves[at];
            at += 1;
        }
        halves
    }
}

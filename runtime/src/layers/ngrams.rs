//! The n-gram branch: the rows of a table, one for each n-gram of the text, and their scaled sums.

use crate::state_codec::StateCodec;
use crate::text::{NgramHasher, Piece, Tokenizer};
use tern_format::Ngrams;

/// The most n-grams whose sums are exact.
const EXACT_COUNT: u32 = 1 << 23;

/// The table of the n-gram branch, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NgramTable<'a> {
    /// The n-grams that select its rows.
    pub ngrams: Ngrams,
    /// The rows. The number of bytes is a power of 2.
    pub rows: &'a [u8],
    /// The bytes of a row: 2 to this power.
    pub row_shift: u32,
    /// True if a byte holds two weights.
    pub in_4_bits: bool,
    /// The shift of the scaled sums: 0 to 8.
    pub shift: u32,
}

/// The sums over the n-grams of a text so far.
#[derive(Debug)]
pub(crate) struct NgramSums<'s> {
    table: &'s NgramTable<'s>,
    hasher: NgramHasher,
    /// The sums of the columns, `[rank]`, in the caller's scratch.
    sums: &'s mut [i32],
    /// The number of n-grams in `sums`: 0 to [`EXACT_COUNT`].
    count: u32,
}

impl<'s> NgramSums<'s> {
    pub(crate) fn new(table: &'s NgramTable<'s>, tokenizer: Tokenizer, sums: &'s mut [i32]) -> Self {
        NgramSums { table, hasher: NgramHasher::new(table.ngrams, tokenizer), sums, count: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.hasher.reset();
        self.sums.fill(0);
        self.count = 0;
    }

    /// Reads the next piece of the text, or its end.
    #[inline(never)]
    pub(crate) fn take(&mut self, piece: Option<Piece>) {
        let NgramSums { table, hasher, sums, count } = self;
        make_room(sums, count);
        hasher.take(piece, &mut |hash| add(table, hash, sums, count));
    }

    /// Counts an n-gram.
    pub(crate) fn add(&mut self, hash: u32) {
        make_room(self.sums, &mut self.count);
        add(self.table, hash, self.sums, &mut self.count);
    }

    /// Writes the sums, divided by the square root of the number of n-grams, to `scaled`, `[rank]`, Q15 times the scale
    /// of the branch.
    pub(crate) fn scale(&self, scaled: &mut [i16]) {
        let (reciprocal, shift) = reciprocal_root(self.count, self.table.shift);
        for (scaled, &sum) in scaled.iter_mut().zip(self.sums.iter()) {
            let product = (i64::from(sum) * i64::from(reciprocal)) >> shift;
            *scaled = product.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }

    /// The largest size of a saved state of the branch, in bytes, without the sums.
    pub(crate) fn state_len(ngrams: Ngrams) -> usize {
        4 + NgramHasher::state_len(ngrams)
    }

    /// Passes the number of n-grams, the sums and the state of the hasher through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.count = codec.count(self.count);
        codec.check(self.count <= EXACT_COUNT);
        codec.words(self.sums.iter_mut());
        let bound = 127 * self.count.min(EXACT_COUNT);
        codec.check(self.sums.iter().all(|sum| sum.unsigned_abs() <= bound));
        self.hasher.visit_state(codec);
    }

    /// The sums of the columns.
    pub(crate) fn sums(&self) -> &[i32] {
        self.sums
    }
}

/// Adds the row of an n-gram to the sums.
#[inline(always)]
fn add(table: &NgramTable<'_>, hash: u32, sums: &mut [i32], count: &mut u32) {
    *count += 1;
    // A row of one byte, as two classes have it, takes no loop.
    if let Some(two_sums) = sums.first_chunk_mut()
        && table.row_shift == 0
        && table.in_4_bits
    {
        let begin = hash as usize & table.rows.len().wrapping_sub(1);
        return add_pair(two_sums, table.rows.get(begin).copied().unwrap_or(0));
    }
    add_row(table, hash, sums);
}

/// Adds two weights of 4 bits.
#[inline(always)]
fn add_pair([even, odd]: &mut [i32; 2], pair: u8) {
    *even += i32::from((pair << 4) as i8 >> 4);
    *odd += i32::from(pair as i8 >> 4);
}

#[inline(never)]
fn add_row(table: &NgramTable<'_>, hash: u32, sums: &mut [i32]) {
    let begin = (hash << table.row_shift) as usize & table.rows.len().wrapping_sub(1);
    let row = table.rows.get(begin..).unwrap_or_default();
    if table.in_4_bits {
        sums.as_chunks_mut().0.iter_mut().zip(row).for_each(|(sums, &pair)| add_pair(sums, pair));
    } else {
        sums.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += i32::from(weight as i8));
    }
}

/// Makes room for the n-grams that end with one character: above a limit all earlier n-grams count half.
#[inline(always)]
fn make_room(sums: &mut [i32], count: &mut u32) {
    if *count > EXACT_COUNT - NgramHasher::MOST_HASHES {
        halve(sums, count);
    }
}

/// Halves the sums and their number, which is rounded up, so that no sum is larger than that of so many n-grams.
#[cold]
#[inline(never)]
fn halve(sums: &mut [i32], count: &mut u32) {
    sums.iter_mut().for_each(|sum| *sum >>= 1);
    *count = count.div_ceil(2);
}

/// A multiplier and a right shift that divide a sum by the square root of `count`, at most [`EXACT_COUNT`]. The
/// multiplier is 0 if `count` is 0.
fn reciprocal_root(count: u32, shift: u32) -> (u32, u32) {
    if count == 0 {
        return (0, 0);
    }
    // An even number of bits, after which the count has 29 or 30 bits.
    let even_bits = (count.leading_zeros() - 2) & !1;
    let root = square_root(count << even_bits);
    ((1u32 << 31).checked_div(root).unwrap_or(0), (19 + shift).saturating_sub(even_bits / 2))
}

/// The square root of a number below 2^30, rounded down, bit by bit.
fn square_root(number: u32) -> u32 {
    let mut root = 0;
    for bit in (0..15).rev() {
        let larger = root | 1 << bit;
        if larger * larger <= number {
            root = larger;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use std::vec;

    #[test]
    fn roots_are_rounded_down() {
        let mut random = Random(3);
        for case in 0..100_000 {
            let number = if case < 1_000 { case } else { random.between(0, (1 << 30) - 1) as u32 };
            assert_eq!(square_root(number), number.isqrt());
        }
    }

    #[test]
    fn scaled_sums_are_close_to_the_real_ones() {
        let mut random = Random(7);
        let rows = [0; 16];
        let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
        let mut table = NgramTable { ngrams, rows: &rows, row_shift: 0, in_4_bits: false, shift: 0 };
        for _ in 0..20_000 {
            let bits = random.between(0, 23);
            let count = random.between(1, 1 << bits) as u32;
            let sum = random.between(-127 * i64::from(count), 127 * i64::from(count)) as i32;
            table.shift = random.between(0, 8) as u32;
            let exact = f64::from(sum) / f64::from(count).sqrt() * 4096.0 / f64::from(1 << table.shift);
            let mut sums = [sum];
            let mut scaled = [0];
            let mut branch = NgramSums::new(&table, Tokenizer::WORDS, &mut sums);
            branch.count = count;
            branch.scale(&mut scaled);
            let expected = exact.clamp(-32_768.0, 32_767.0);
            let error = (f64::from(scaled[0]) - expected).abs();
            assert!(error <= 1.0 + expected.abs() / 8_000.0, "{sum} / √{count}: {} and not {exact}", scaled[0]);
        }
    }

    #[test]
    fn after_the_exact_count_all_earlier_ngrams_count_half() {
        let rows = [0x80 | 1; 16];
        let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
        let table = NgramTable { ngrams, rows: &rows, row_shift: 0, in_4_bits: false, shift: 0 };
        let (mut sums, mut count) = (vec![0], 0);
        for _ in 0..3 * EXACT_COUNT {
            make_room(&mut sums, &mut count);
            add(&table, 5, &mut sums, &mut count);
            assert!(count <= EXACT_COUNT && sums[0].unsigned_abs() <= 127 * count);
        }
        assert!(count > EXACT_COUNT / 2 && sums[0] < -126 * count as i32);
    }

    #[test]
    fn a_byte_holds_two_weights_of_4_bits() {
        let rows: [u8; 32] = core::array::from_fn(|index| index as u8 | 0x90);
        let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
        let table = NgramTable { ngrams, rows: &rows, row_shift: 1, in_4_bits: true, shift: 0 };
        let (mut sums, mut count) = ([0; 4], 0);
        // Bucket 3 of 16: bytes 6 and 7.
        add(&table, 0xfff3, &mut sums, &mut count);
        assert_eq!((sums, count), ([6, -7, 7, -7], 1));
    }
}

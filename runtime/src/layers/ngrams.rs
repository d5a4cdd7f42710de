//! The n-gram branch: adds up a row of a table for each n-gram of the text (a word, two words or a few characters), and
//! scales the sums for the head. [`NgramHasher`] finds the n-grams and their hashes. A hash selects a row, the bucket
//! of the n-gram. `docs/arithmetic.md`, "N-gram branch", defines all this.

use crate::kernel::buckets::Buckets;
use crate::state_codec::StateCodec;
use crate::text::{NgramHasher, Tokenizer};
use tern_format::Ngrams;

/// The limit of the number of n-grams, which keeps the sums in 32 bits. When a text reaches it, the sums and the number
/// are halved, so that all earlier n-grams count half. It is a power of 2, so that one bit of the number shows whether
/// the number has reached it.
const FULL: u32 = 1 << 22;

/// The table of the n-gram branch, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NgramTable<'a> {
    /// The kinds of n-grams that are counted.
    pub ngrams: Ngrams,
    /// The rows, one for each bucket.
    pub rows: Buckets<'a>,
    /// The fingerprint of each bucket, one byte: only n-grams whose hash has it in the upper 8 bits count. None if
    /// every n-gram counts.
    pub fingerprints: Option<Buckets<'a>>,
    /// The base-2 logarithm of the number of bytes of a row.
    pub row_shift: u32,
    /// True if a byte holds two weights.
    pub in_4_bits: bool,
    /// The additional right shift of the scaled sums: 0 to 8.
    pub shift: u32,
}

impl NgramTable<'_> {
    /// Returns true for a common kind of table, for which there is faster code: each row is one byte with two weights,
    /// every n-gram counts, and the shortest n-grams of characters have 3, or there are none.
    fn is_common(&self) -> bool {
        let in_one_byte = self.in_4_bits && self.row_shift == 0;
        in_one_byte && self.fingerprints.is_none() && matches!(self.ngrams.min_chars, 0 | 3)
    }

    /// Returns true if an n-gram counts: if its bucket has the fingerprint of its hash, the upper 8 bits.
    #[inline(always)]
    fn counts(&self, hash: u32) -> bool {
        self.fingerprints.is_none_or(|fingerprints| u32::from(fingerprints.byte(hash)) == hash >> 24)
    }
}

/// The sums over the n-grams of a text that have been read.
#[derive(Debug)]
pub(crate) struct NgramSums<'s> {
    columns: Columns<'s>,
    /// The number of n-grams in the sums: below [`FULL`] + 8, because between two checks of the limit at most 8 n-grams
    /// are added: 6 of characters and 2 of words at the end of a word.
    count: u32,
    hasher: NgramHasher,
    /// The value of `count` when the sums were last scaled. It differs from `count` if the sums have changed since.
    scaled_count: u32,
    table: &'s NgramTable<'s>,
}

/// The sums of the table's columns. `repr(u32)` gives the enum a separate tag, so that one comparison distinguishes the
/// variants.
#[derive(Debug)]
#[repr(u32)]
enum Columns<'s> {
    /// The two sums of a [common](NgramTable::is_common) table, and its rows.
    Two { rows: Buckets<'s>, sums: [i32; 2] },
    /// The sums of any other table, `[rank]`, in the caller's scratch.
    Any(&'s mut [i32]),
}

impl<'s> NgramSums<'s> {
    /// The branch before the first [`reset`](NgramSums::reset). `sums`: scratch for the sums, `[rank]`.
    pub(crate) fn new(table: &'s NgramTable<'s>, tokenizer: Tokenizer, sums: &'s mut [i32]) -> Self {
        let columns =
            if table.is_common() { Columns::Two { rows: table.rows, sums: [0; 2] } } else { Columns::Any(sums) };
        let hasher = NgramHasher::new(table.ngrams, tokenizer);
        NgramSums { columns, count: 0, hasher, scaled_count: 0, table }
    }

    /// Begins a new text.
    pub(crate) fn reset(&mut self) {
        self.hasher.reset();
        self.columns.sums_mut().fill(0);
        (self.count, self.scaled_count) = (0, 0);
    }

    /// Counts the n-grams that end with a character, for a [common](NgramTable::is_common) table. For another table, or
    /// if the sums must be halved, it only returns false; the caller must then call the slower
    /// [`take_char`](NgramSums::take_char).
    #[inline(always)]
    pub(crate) fn take_common_char(&mut self, c: char) -> bool {
        let Columns::Two { rows, sums: [even, odd] } = &mut self.columns else { return false };
        if self.count & FULL != 0 {
            return false;
        }
        // Local variables stay in registers.
        let (mut sums, mut count) = ([*even, *odd], self.count);
        self.hasher.take_char_from_3(c, &mut |hash| {
            add_pair(&mut sums, rows.byte(hash));
            count += 1;
        });
        ([*even, *odd], self.count) = (sums, count);
        true
    }

    /// Counts the n-grams that end with a character.
    pub(crate) fn take_char(&mut self, c: char) {
        self.make_room();
        let NgramSums { columns, count, hasher, table, .. } = self;
        hasher.take_char(c, &mut |hash| add_if_counted(columns, count, table, hash));
    }

    /// The hasher, which has the hash of the current word.
    pub(crate) fn hasher(&self) -> &NgramHasher {
        &self.hasher
    }

    /// Counts the n-grams of words that end with a word, at most two, for a [common](NgramTable::is_common) table. The
    /// caller must have passed all characters of the word. `word`: the hash of the word. For another table it only
    /// returns false; the caller must then call the slower [`take_word`](NgramSums::take_word).
    #[inline(always)]
    pub(crate) fn take_common_word(&mut self, word: u32) -> bool {
        let Columns::Two { rows, sums: [even, odd] } = &mut self.columns else { return false };
        let (mut sums, mut count) = ([*even, *odd], self.count);
        self.hasher.take_word(word, &mut |hash| {
            add_pair(&mut sums, rows.byte(hash));
            count += 1;
        });
        ([*even, *odd], self.count) = (sums, count);
        true
    }

    /// Counts the n-grams of words that end with a word.
    pub(crate) fn take_word(&mut self, word: u32) {
        let NgramSums { columns, count, hasher, table, .. } = self;
        hasher.take_word(word, &mut |hash| add_if_counted(columns, count, table, hash));
    }

    /// Counts one n-gram by its hash or its bucket, whatever its fingerprint is.
    pub(crate) fn add_ngram(&mut self, hash: u32) {
        self.make_room();
        add_row(&mut self.columns, &mut self.count, self.table, hash);
    }

    /// Halves the sums if they have reached the limit [`FULL`].
    #[inline(always)]
    fn make_room(&mut self) {
        if self.count & FULL != 0 {
            self.halve();
        }
    }

    /// Halves the sums and the number of n-grams. The number is rounded up, so that |sum| ≤ 127 · count still holds,
    /// and the sums count as changed.
    #[cold]
    #[inline(never)]
    fn halve(&mut self) {
        self.columns.sums_mut().iter_mut().for_each(|sum| *sum >>= 1);
        self.count = self.count.div_ceil(2);
        self.scaled_count = u32::MAX;
    }

    /// Returns true if the sums have changed since the last call of [`scale`](NgramSums::scale).
    pub(crate) fn have_changed(&self) -> bool {
        self.count != self.scaled_count
    }

    /// Writes the sums, divided by the square root of the number of n-grams, to `scaled`, `[rank]`, saturating: Q15
    /// times the scale of the branch (the tensor `ngrams.scale`).
    pub(crate) fn scale(&mut self, scaled: &mut [i16]) {
        let (reciprocal, shift) = reciprocal_root(self.count, self.table.shift);
        for (scaled, &sum) in scaled.iter_mut().zip(self.sums()) {
            let product = (i64::from(sum) * i64::from(reciprocal)) >> shift;
            *scaled = product.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
        self.scaled_count = self.count;
    }

    /// The largest size of a saved state of the branch, in bytes, without the sums.
    pub(crate) fn state_len(ngrams: Ngrams) -> usize {
        4 + NgramHasher::state_len(ngrams)
    }

    /// Passes the number of n-grams, the sums and the state of the hasher through the codec.
    pub(crate) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.count = codec.unsigned(self.count);
        codec.check(self.count < FULL + 8);
        let sums = self.columns.sums_mut();
        codec.words(sums.iter_mut());
        // No weight is larger than 127. `min` prevents an overflow for a number that the check above has refused.
        let bound = 127 * self.count.min(FULL + 8);
        codec.check(sums.iter().all(|sum| sum.unsigned_abs() <= bound));
        self.hasher.visit_state(codec);
    }

    /// The sums of the columns.
    pub(crate) fn sums(&self) -> &[i32] {
        self.columns.sums()
    }
}

impl Columns<'_> {
    fn sums(&self) -> &[i32] {
        match self {
            Columns::Two { sums, .. } => sums,
            Columns::Any(sums) => sums,
        }
    }

    fn sums_mut(&mut self) -> &mut [i32] {
        match self {
            Columns::Two { sums, .. } => sums,
            Columns::Any(sums) => sums,
        }
    }
}

/// Counts an n-gram, unless its bucket has another fingerprint.
#[inline(always)]
fn add_if_counted(columns: &mut Columns<'_>, count: &mut u32, table: &NgramTable<'_>, hash: u32) {
    if table.counts(hash) {
        add_row(columns, count, table, hash);
    }
}

/// Counts an n-gram and adds its row to the sums.
#[inline(always)]
fn add_row(columns: &mut Columns<'_>, count: &mut u32, table: &NgramTable<'_>, hash: u32) {
    *count += 1;
    match columns {
        Columns::Two { rows, sums } => add_pair(sums, rows.byte(hash)),
        Columns::Any(sums) => add_row_to_any(table, hash, sums),
    }
}

/// Adds the two 4-bit weights of a byte to the sums of two columns, the lower half to the even one.
#[inline(always)]
fn add_pair([even, odd]: &mut [i32; 2], pair: u8) {
    *even += i32::from((pair << 4) as i8 >> 4);
    *odd += i32::from(pair as i8 >> 4);
}

/// Adds the row of an n-gram to the sums of a table with any number of columns.
#[inline(never)]
fn add_row_to_any(table: &NgramTable<'_>, hash: u32, sums: &mut [i32]) {
    let row = table.rows.row(hash, table.row_shift);
    if !table.in_4_bits {
        return sums.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += i32::from(weight as i8));
    }
    // The number of columns is a power of 2, so the table has whole eights of columns or a few pairs, but not both.
    let (eights, pairs) = sums.as_chunks_mut::<8>();
    for (sums, &bytes) in eights.iter_mut().zip(row.as_chunks().0) {
        let mut weights = u32::from_le_bytes(bytes);
        // Adds the lowest 4 bits, with their sign, and drops them.
        for sum in sums {
            *sum += (weights << 28) as i32 >> 28;
            weights >>= 4;
        }
    }
    pairs.as_chunks_mut().0.iter_mut().zip(row).for_each(|(sums, &pair)| add_pair(sums, pair));
}

/// Returns the multiplier and the right shift that divide a sum by √`count` and by 2^`shift`: docs/arithmetic.md,
/// "Scaling". `count`: below [`FULL`] + 8; if it is 0, so is the multiplier.
fn reciprocal_root(count: u32, shift: u32) -> (u32, u32) {
    if count == 0 {
        return (0, 0);
    }
    // 2k in docs/arithmetic.md: the even left shift after which the count has 29 or 30 bits, so that half of the shift
    // applies to the root.
    let even_bits = (count.leading_zeros() - 2) & !1;
    let root = square_root(count << even_bits);
    ((1u32 << 31).checked_div(root).unwrap_or(0), (19 + shift).saturating_sub(even_bits / 2))
}

/// Returns the square root of a number below 2^30, rounded down, computed bit by bit.
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
mod tests;

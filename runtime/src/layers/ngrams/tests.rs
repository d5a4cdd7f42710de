//! Tests of the n-gram branch.

use super::*;
use crate::testing::Random;
use crate::text::Piece;
use std::{vec, vec::Vec};

#[test]
fn roots_are_rounded_down() {
    let mut random = Random(3);
    for case in 0..100_000 {
        let number = if case < 1_000 { case } else { random.between(0, (1 << 30) - 1) as u32 };
        assert_eq!(square_root(number), number.isqrt());
    }
}

/// A table whose rows have one byte with two weights.
fn table_of(ngrams: Ngrams, rows: &[u8]) -> NgramTable<'_> {
    let rows = Buckets::new(rows).unwrap();
    NgramTable { ngrams, rows, fingerprints: None, row_shift: 0, in_4_bits: true, shift: 0 }
}

/// An n-gram branch of any table, whose sums are in `sums`.
fn branch<'s>(table: &'s NgramTable<'s>, sums: &'s mut [i32]) -> NgramSums<'s> {
    sums.fill(0);
    NgramSums::new(table, Tokenizer::WORDS, sums)
}

#[test]
fn scaled_sums_are_close_to_the_real_ones() {
    let mut random = Random(7);
    let rows = [0; 16];
    let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
    let mut table = NgramTable { row_shift: 0, in_4_bits: false, ..table_of(ngrams, &rows) };
    for _ in 0..20_000 {
        let bits = random.between(0, 22);
        let count = random.between(1, 1 << bits) as u32;
        let sum = random.between(-127 * i64::from(count), 127 * i64::from(count)) as i32;
        table.shift = random.between(0, 8) as u32;
        let exact = f64::from(sum) / f64::from(count).sqrt() * 4096.0 / f64::from(1 << table.shift);
        let (mut sums, mut scaled) = ([0], [0]);
        let mut branch = branch(&table, &mut sums);
        branch.columns.sums_mut().fill(sum);
        branch.count = count;
        branch.scale(&mut scaled);
        let expected = exact.clamp(-32_768.0, 32_767.0);
        let error = (f64::from(scaled[0]) - expected).abs();
        assert!(error <= 1.0 + expected.abs() / 8_000.0, "{sum} / √{count}: {} and not {exact}", scaled[0]);
    }
}

#[test]
fn in_a_long_text_all_earlier_ngrams_count_half() {
    let rows = [0x80 | 1; 16];
    for (in_4_bits, weight) in [(false, -127), (true, -8)] {
        let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
        let table = NgramTable { in_4_bits, ..table_of(ngrams, &rows) };
        let mut sums = [0];
        let mut branch = branch(&table, &mut sums);
        for _ in 0..3 * FULL {
            branch.add_ngram(5);
            let count = branch.count;
            assert!(count < FULL + 8 && branch.sums().iter().all(|sum| sum.unsigned_abs() <= 127 * count));
        }
        assert!(branch.count > FULL / 2);
        let mean = f64::from(*branch.sums().last().unwrap()) / f64::from(branch.count);
        assert!((mean - f64::from(weight)).abs() < 0.01, "{mean}");
    }
}

#[test]
fn a_byte_holds_two_weights_of_4_bits() {
    let rows: [u8; 128] = core::array::from_fn(|index| index as u8 & 0xf | 0x90);
    let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
    for (rank, row_shift) in [(4, 1), (8, 2), (16, 3)] {
        let table = NgramTable { row_shift, ..table_of(ngrams, &rows) };
        let mut sums = vec![0; rank];
        let mut branch = branch(&table, &mut sums);
        branch.add_ngram(0xfff3);
        // The lower bits of the hash select bucket 3.
        let row: Vec<u8> = rows.iter().copied().skip(3 << row_shift).take(rank / 2).collect();
        let expected = row.iter().flat_map(|&byte| [i32::from(byte << 4) << 24 >> 28, -7]).collect::<Vec<_>>();
        assert_eq!((branch.sums(), branch.count), (&expected[..], 1));
    }
}

#[test]
fn an_ngram_counts_if_its_bucket_has_its_fingerprint() {
    let (rows, fingerprints) = ([0x21; 16], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
    let ngrams = Ngrams { words: 1, min_chars: 0, max_chars: 0 };
    let table = NgramTable { fingerprints: Buckets::new(&fingerprints), ..table_of(ngrams, &rows) };
    let mut sums = [0; 2];
    let mut branch = branch(&table, &mut sums);
    for hash in [0x0312_3403, 0x0412_3403, 0xff00_000f, 0xfe00_000f, 0x0000_0010] {
        branch.take_word(hash);
    }
    assert_eq!((branch.sums(), branch.count), (&[3, 6][..], 3));
    branch.add_ngram(0x0412_3403);
    assert_eq!(branch.count, 4, "an n-gram of the caller");
}

/// A common table has code of its own.
#[test]
fn two_columns_of_4_bits_are_summed_as_in_any_table() {
    let mut random = Random(9);
    let rows: [u8; 64] = core::array::from_fn(|_| random.number() as u8);
    for (words, min_chars, max_chars) in [(2, 3, 5), (1, 3, 6), (0, 3, 3), (2, 0, 0), (2, 1, 4), (1, 2, 2), (0, 4, 6)] {
        let ngrams = Ngrams { words, min_chars, max_chars };
        let table = table_of(ngrams, &rows);
        let (mut sums, mut expected, mut hashes) = ([0; 2], [0; 2], vec![]);
        let mut branch = branch(&table, &mut sums);
        let is_common = matches!(branch.columns, Columns::Two { .. });
        assert_eq!(is_common, min_chars == 0 || min_chars == 3);
        let mut hasher = NgramHasher::new(ngrams, Tokenizer::WORDS);
        for word in ["a", "photo", "of", "photography", "été", "a"] {
            for c in word.chars() {
                assert!(branch.take_common_char(c) == is_common);
                if !is_common {
                    branch.take_char(c);
                }
                hasher.feed(Piece::Char(c), &mut |hash| hashes.push(hash));
            }
            let hash = branch.hasher().word();
            if is_common {
                branch.take_common_char(NgramHasher::AFTER_WORD);
                branch.take_common_word(hash);
            } else {
                branch.take_char(NgramHasher::AFTER_WORD);
                branch.take_word(hash);
            }
            hasher.feed(Piece::End, &mut |hash| hashes.push(hash));
        }
        hashes.iter().for_each(|&hash| add_pair(&mut expected, rows[hash as usize % rows.len()]));
        assert_eq!((branch.sums(), branch.count as usize), (&expected[..], hashes.len()));
    }
}

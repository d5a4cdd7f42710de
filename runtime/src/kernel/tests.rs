//! Tests of every kernel against the plain one, on the same cases, and of the lookup in the n-gram table.

use super::*;
use crate::testing::Random;
use std::vec::Vec;

type Dot4 = fn(&[[i8; 4]], &[i16], [i32; 4]) -> [i32; 4];

const KERNELS: [(&str, Dot4); 2] = [("chosen for this machine", dot4), ("walking", walk::dot4)];

fn check(weights: &[[i8; 4]], v: &[i16], acc: [i32; 4]) {
    let expected = plain_dot4(weights, v, acc);
    for (name, kernel) in KERNELS {
        assert_eq!(kernel(weights, v, acc), expected, "{name}, {} and {} columns", weights.len(), v.len());
    }
}

#[test]
fn all_kernels_give_the_plain_sums() {
    let mut random = Random(5);
    for columns in 0..70 {
        let weights: Vec<[i8; 4]> = (0..columns).map(|_| [0; 4].map(|_: i8| random.between(-127, 127) as i8)).collect();
        let v: Vec<i16> = (0..columns).map(|_| random.between(-32_768, 32_767) as i16).collect();
        check(&weights, &v, [0; 4].map(|_: i32| random.between(-2_000_000, 2_000_000) as i32));
    }
}

#[test]
fn all_kernels_give_the_plain_sums_at_the_extremes() {
    for columns in [1, 4, 8, 9, 500] {
        for (w, v) in [(127, -32_768), (-127, -32_768), (127, 32_767), (-127, 32_767)] {
            check(&std::vec![[w; 4]; columns], &std::vec![v; columns], [0; 4]);
        }
    }
}

type DotPairs = fn(&[[i32; 2]], &[i16], [i32; 4]) -> [i32; 4];

const PAIRED: [(&str, DotPairs); 2] = [("chosen for this machine", dot_pairs), ("of pairs", plain::dot_pairs)];

/// The words of two columns of four rows, and the same columns for the plain kernel.
fn paired(columns: &[[i8; 4]]) -> Vec<[i32; 2]> {
    let half = |a: i8, b: i8| (256 * i32::from(a) + i32::from(b)) & 0xffff;
    let word = |row: usize, c: &[[i8; 4]; 2]| half(c[0][row], c[0][row + 1]) | half(c[1][row], c[1][row + 1]) << 16;
    columns.as_chunks::<2>().0.iter().map(|c| [word(0, c), word(2, c)]).collect()
}

#[test]
fn all_kernels_of_pairs_give_the_plain_sums() {
    let mut random = Random(6);
    let ends = [(127, -32_768), (-127, -32_768), (127, 32_767), (-127, 32_767)];
    for columns in (0..70).step_by(2).chain([500]) {
        let mut weights: Vec<[i8; 4]> =
            (0..columns).map(|_| [0; 4].map(|_: i8| random.between(-127, 127) as i8)).collect();
        let mut v: Vec<i16> = (0..columns).map(|_| random.between(-32_768, 32_767) as i16).collect();
        for end in [None].into_iter().chain(ends.map(Some)) {
            if let Some((w, x)) = end {
                weights.fill([w; 4]);
                v.fill(x);
            }
            let acc = [0; 4].map(|_: i32| random.between(-2_000, 2_000) as i32);
            let expected = plain_dot4(&weights, &v, acc);
            for (name, kernel) in PAIRED {
                assert_eq!(kernel(&paired(&weights), &v, acc), expected, "{name}, {columns} columns, {end:?}");
            }
        }
    }
}

#[cfg(feature = "ngrams")]
#[test]
fn a_hash_selects_a_row_of_the_ngram_table() {
    assert!(buckets::Buckets::new(&[]).is_none());
    for row_shift in 0..4u32 {
        let bytes: Vec<u8> = (0..8u8 << row_shift).collect();
        let table = buckets::Buckets::new(&bytes).unwrap();
        for hash in [0, 1, 7, 8, 0x1234_5675, u32::MAX] {
            let row = hash as usize % 8;
            assert_eq!(table.row(hash, row_shift), &bytes[row << row_shift..], "{hash:x}, rows of 2^{row_shift} bytes");
            if row_shift == 0 {
                assert_eq!(table.byte(hash), bytes[row]);
            }
        }
    }
}

#[test]
fn the_shorter_side_ends_the_sum() {
    let (weights, v) = ([[1; 4]; 21], [3; 18]);
    check(&weights, &v[..7], [1; 4]);
    check(&weights[..9], &v, [1; 4]);
    check(&[], &v, [1; 4]);
}

#[test]
fn rows_side_by_side_give_the_sums_of_each() {
    let mut random = Random(7);
    for columns in 0..35 {
        let v: Vec<i16> = (0..columns).map(|_| random.between(-32_768, 32_767) as i16).collect();
        let weights: Vec<i8> = (0..4 * columns).map(|_| random.between(-127, 127) as i8).collect();
        let acc = [0; 4].map(|_: i32| random.between(-2_000_000, 2_000_000) as i32);
        let ends = [(127, -32_768), (-127, -32_768), (127, 32_767), (-127, 32_767)].map(Some);
        for (weights, v) in [None].into_iter().chain(ends).map(|end| match end {
            Some((w, x)) => (std::vec![w; weights.len()], std::vec![x; columns]),
            None => (weights.clone(), v.clone()),
        }) {
            let sum = |row: usize, w: &dyn Fn(usize) -> i8| {
                let products = (0..columns).map(|column| i32::from(w(column)) * i32::from(v[column]));
                acc[row] + products.sum::<i32>()
            };
            for rows in [1, 3, 4] {
                let mut sums = acc;
                dot_each(&weights[..rows * columns], &v, &mut sums[..rows]);
                let expected: Vec<i32> = (0..4)
                    .map(|row| if row < rows { sum(row, &|column| weights[row * columns + column]) } else { acc[row] })
                    .collect();
                assert_eq!(sums.to_vec(), expected, "{rows} rows, {columns} columns");
            }
            let threes: Vec<[i8; 3]> = weights.as_chunks::<4>().0.iter().map(|&[a, b, c, _]| [a, b, c]).collect();
            let expected = [0, 1, 2].map(|row| sum(row, &|column| threes[column][row]));
            assert_eq!(dot3(&threes, &v, [acc[0], acc[1], acc[2]]), expected, "{columns} columns");
        }
    }
}

//! Every kernel against the plain one, on the same cases.

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

#[test]
fn the_shorter_side_ends_the_sum() {
    let (weights, v) = ([[1; 4]; 21], [3; 18]);
    check(&weights, &v[..7], [1; 4]);
    check(&weights[..9], &v, [1; 4]);
    check(&[], &v, [1; 4]);
}

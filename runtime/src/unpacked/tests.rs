//! Models on a copy of their weights beside the same in their file.

use super::*;
use crate::testing::{Aligned, Random, Sizes, Spec, extreme_file_in, random_file_in};
use crate::{Packing, Session};
use std::{vec, vec::Vec};

/// How many random models of each list. Miri has time for a few, and for small ones.
const MODELS: u64 = if cfg!(miri) { 4 } else { 300 };

/// The state after each of some steps, then the logits.
fn outcome(model: &Model<'_>) -> (Vec<u32>, Vec<i32>) {
    const STEPS: usize = if cfg!(miri) { 3 } else { 12 };
    let mut scratch = vec![0; model.scratch_len_for(STEPS)];
    let mut session = model.session(&mut scratch).unwrap();
    let (mut random, ids) = (Random(9), model.config().vocab_size as i64 - 1);
    let mut step = |session: &mut Session<'_>| {
        match ids {
            -1 => session.feed_values(&[0; 7].map(|_: i32| random.between(-300_000, 300_000) as i32)),
            _ => session.feed_id(random.between(1, ids) as u32),
        }
        session.state_hash()
    };
    let states = (0..STEPS).map(|_| step(&mut session)).collect();
    (states, session.logits().iter().collect())
}

/// Whether the copy is used, where the host has kernels for it; the results must be the same in any case.
fn check(file: &Aligned, copied: bool) {
    let model = Model::from_bytes(file).unwrap();
    let unpacked = Unpacked::new(&model);
    let cells = unpacked.layers.len();
    let expected = if copied && Lanes::detect().is_some() { model.cells().len() } else { 0 };
    assert_eq!(cells, expected, "{:?}", model.config());
    assert_eq!(outcome(&unpacked.model()), outcome(&model), "{:?}", model.config());
}

#[test]
fn models_of_every_kind_give_the_same_bits() {
    for seed in 0..MODELS {
        check(&Spec::random(seed).file(seed), true);
    }
}

#[test]
fn sizes_around_whole_blocks_give_the_same_bits() {
    let all = [(1, 1), (7, 8), (8, 9), (20, 28), (33, 17), (16, 64)];
    let most = if cfg!(miri) { 3 } else { all.len() };
    for (seed, (embedding_dim, hidden_size)) in (1..).zip(all).take(most) {
        for &cell in crate::CellKind::ALL {
            let spec = Spec { cell, shift: seed as u32 % 4, ..Sizes { embedding_dim, hidden_size, classes: 2 }.into() };
            check(&spec.file(seed), true);
        }
    }
}

#[test]
fn both_packings_give_the_same_bits_at_the_extremes_too() {
    let (embedding_dim, hidden_size) = if cfg!(miri) { (4, 12) } else { (116, 384) };
    let sizes = Sizes { embedding_dim, hidden_size, classes: 1 };
    for packing in Packing::ALL {
        check(&random_file_in(packing, 3, Sizes { embedding_dim: 12, hidden_size: 20, classes: 2 }, "1"), true);
        [-1, 1].iter().for_each(|&sign| check(&extreme_file_in(packing, sign, sizes), true));
    }
}

#[test]
fn folded_tokens_give_the_same_bits() {
    let sizes = Sizes { embedding_dim: 8, hidden_size: 12, classes: 2 };
    for &cell in crate::CellKind::ALL {
        for bidirectional in [false, true] {
            let spec = Spec { cell, bidirectional, ..sizes.into() };
            check(&spec.folded_file(Packing::plain(cell), 4, &[2, 3, 7]), true);
        }
    }
}

#[cfg(feature = "widths")]
#[test]
fn weights_of_4_bits_are_copied_and_of_16_run_as_they_lie() {
    for seed in 0..MODELS {
        let spec = Spec::random_widths(seed);
        check(&spec.file(seed), !spec.bits[1..3].contains(&16));
    }
}

//! Tests that a model gives the same results from a copy of its weights as from its file.

use super::*;
use crate::features;
use crate::kernel::arguments::Interleaved;
use crate::layers::State;
use crate::layers::rnn::Rnn;
use crate::testing::{Aligned, Random, Sizes, Spec, extreme_file_in, random_file_in};
use crate::{Packing, Session};
use core::fmt::Debug;
use std::{vec, vec::Vec};

/// The number of random models of each list.
const MODELS: u64 = 300;

/// The state after each of some steps, then the logits.
fn outcome(model: &Model<'_>) -> (Vec<u32>, Vec<i32>) {
    const STEPS: usize = 12;
    let mut scratch = vec![0; model.scratch_len_for(STEPS)];
    let mut session = model.session(&mut scratch).unwrap();
    let (mut random, ids) = (Random(9), model.config().vocab_size as i64 - 1);
    let mut step = |session: &mut Session<'_>| {
        match session {
            Session::Text(session) => session.feed_id(random.between(1, ids) as u32),
            Session::Values(session) => {
                session.feed(&[0; 7].map(|_: i32| random.between(-300_000, 300_000) as i32));
            }
        }
        session.state_hash()
    };
    let states = (0..STEPS).map(|_| step(&mut session)).collect();
    (states, session.logits().iter().collect())
}

/// Checks that the copy is used if the host has kernels for it, and that the results are the same in any case.
fn check(file: &Aligned, copied: bool) {
    let model = Model::from_bytes(file).unwrap();
    let unpacked = Unpacked::new(&model);
    let cells = unpacked.layers.len();
    let expected = if copied && Lanes::detect().is_some() { model.cells().len() } else { 0 };
    assert_eq!(cells, expected, "{:?}", model.config());
    assert_eq!(outcome(&unpacked.model()), outcome(&model), "{:?}", model.config());
}

/// Random numbers of a range.
fn numbers<T: TryFrom<i64, Error: Debug>>(random: &mut Random, count: usize, (low, high): (i64, i64)) -> Vec<T> {
    (0..count).map(|_| random.between(low, high).try_into().unwrap()).collect()
}

/// Steps of `cell` and of its copy, on numbers and on ready-made sums.
fn check_steps(cell: Option<Cell<'_>>, kind: CellKind, columns: usize, random: &mut Random) {
    // None where the host has no kernel, or the runtime is built without such cells.
    let (Some(cell), Some(lanes)) = (cell, Lanes::detect()) else { return };
    let copy = unpacked_layer(&cell, kind, lanes).unwrap();
    let units = cell.summary().hidden_size;
    let words = if kind.state_words() > 0 { units } else { 0 };
    let mut h: [Vec<i16>; 4] = core::array::from_fn(|_| vec![0; units]);
    let mut c: [Vec<i32>; 2] = core::array::from_fn(|_| vec![0; words]);
    let ([h1, h2, h3, h4], [c1, c2]) = (&mut h, &mut c);
    let (mut plain, mut lanes) = (State { h: h1, next_h: h2, c: c1 }, State { h: h3, next_h: h4, c: c2 });
    for _ in 0..3 {
        let x: Vec<i16> = numbers(random, columns, (-32_768, 32_767));
        cell.step(&x, &mut plain);
        copy.step(&x, None, &mut lanes);
        assert_eq!((&plain.h, &plain.c), (&lanes.h, &lanes.c), "{kind:?}, {columns} columns, {units} units");
        let sums: Vec<i32> = numbers(random, units * cell.summary().sums_of_unit, (-60_000_000, 60_000_000));
        cell.step_folded(&sums, &mut plain);
        copy.step(&[], Some(&sums), &mut lanes);
        assert_eq!((&plain.h, &plain.c), (&lanes.h, &lanes.c), "{kind:?}, ready-made sums, {units} units");
    }
}

#[test]
fn steps_of_every_cell_give_the_same_bits() {
    let mut random = Random(11);
    for (columns, units) in [(1, 1), (3, 9), (6, 8), (5, 34)] {
        for &kind in tern_format::Cell::ALL {
            let (random, gates) = (&mut random, kind.gates());
            let [ih, hh]: [Vec<i8>; 2] =
                [columns, units].map(|size| numbers(random, gates * size * units, (-127, 127)));
            let biases = if gates > 1 { 4 } else { 1 };
            let bias: Vec<i32> = numbers(random, biases * units, (-2_000_000, 2_000_000));
            let [mx, mh]: [Vec<i16>; 2] = [(); 2].map(|()| numbers(random, gates * units, (0, 12_000)));
            let (input_size, weights) = (NonZeroUsize::new(columns).unwrap(), [&ih[..], &hh]);
            let (multipliers, shift) = ([&mx[..], &mh], 1);
            let cell = match kind {
                CellKind::Lstm => {
                    let lstm = Interleaved::new(input_size, weights, &bias, multipliers, shift);
                    features::Interleaved4::new(lstm).map(Cell::Lstm)
                }
                CellKind::Gru => {
                    let gru = Interleaved::new(input_size, weights, &bias, multipliers, shift);
                    features::Gru::new(gru).map(Cell::Gru)
                }
                CellKind::Rnn | CellKind::RnnRelu => {
                    let layer = Interleaved::new(input_size, weights, &bias, multipliers, shift);
                    features::Rnn::new(Rnn { layer, is_relu: kind == CellKind::RnnRelu }).map(Cell::Rnn)
                }
            };
            check_steps(cell, kind, columns, random);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn models_of_every_kind_give_the_same_bits() {
    for seed in 0..MODELS {
        check(&Spec::random(seed).file(seed), true);
    }
    #[cfg(feature = "ngrams")]
    for seed in 0..MODELS {
        let spec = Spec::random_ngrams(seed);
        check(&spec.file(seed), true);
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn sizes_around_whole_blocks_give_the_same_bits() {
    let all = [(1, 1), (3, 9), (7, 8), (8, 9), (20, 28), (33, 17), (16, 64)];
    for (seed, (embedding_dim, hidden_size)) in (1..).zip(all) {
        for &cell in tern_format::Cell::ALL {
            let spec = Spec { cell, shift: seed as u32 % 4, ..Sizes { embedding_dim, hidden_size, classes: 2 }.into() };
            check(&spec.file(seed), true);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn both_packings_give_the_same_bits_at_the_extremes_too() {
    let sizes = Sizes { embedding_dim: 116, hidden_size: 384, classes: 1 };
    for &cell in tern_format::Cell::ALL {
        for packing in Packing::for_8_bits(cell) {
            let [small, large] = [Sizes { embedding_dim: 12, hidden_size: 20, classes: 2 }, sizes]
                .map(|sizes| Spec { cell, ..sizes.into() });
            check(&random_file_in(packing, 3, small, "1"), true);
            [-1, 1].iter().for_each(|&sign| check(&extreme_file_in(packing, sign, large), true));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn folded_tokens_give_the_same_bits() {
    let sizes = Sizes { embedding_dim: 8, hidden_size: 12, classes: 2 };
    for &cell in tern_format::Cell::ALL {
        for bidirectional in [false, true] {
            let spec = Spec { cell, bidirectional, ..sizes.into() };
            for packing in Packing::for_8_bits(cell) {
                check(&spec.folded_file(packing, 4, &[2, 3, 7]), true);
            }
        }
    }
}

#[cfg(feature = "widths")]
#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn weights_of_4_bits_are_copied_and_of_16_bits_are_not() {
    for seed in 0..MODELS {
        let spec = Spec::random_widths(seed);
        check(&spec.file(seed), !spec.bits[1..3].contains(&16));
    }
}

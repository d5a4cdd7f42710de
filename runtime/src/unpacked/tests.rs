//! Models on a copy of their weights beside the same in their file.

use super::*;
use crate::features;
use crate::layers::State;
use crate::layers::gru::Gru;
use crate::layers::lstm::Lstm;
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

/// Random numbers of a range, `N` in each.
fn numbers<T: TryFrom<i64, Error: Debug> + Copy + Default, const N: usize>(
    random: &mut Random,
    count: usize,
    (low, high): (i64, i64),
) -> Vec<[T; N]> {
    (0..count).map(|_| [T::default(); N].map(|_| random.between(low, high).try_into().unwrap())).collect()
}

/// Steps of `cell` and of its copy, on numbers and on ready-made sums.
fn check_steps(cell: Option<Cell<'_>>, kind: CellKind, columns: usize, random: &mut Random) {
    // None where the host has no kernel, or the runtime is built without such cells.
    let (Some(cell), Some(lanes)) = (cell, Lanes::detect()) else { return };
    let copy = unpacked_layer(&cell, kind, lanes).unwrap();
    let units = cell.hidden_size();
    let words = if kind.state_words() > 0 { units } else { 0 };
    let mut h: [Vec<i16>; 4] = core::array::from_fn(|_| vec![0; units]);
    let mut c: [Vec<i32>; 2] = core::array::from_fn(|_| vec![0; words]);
    let ([h1, h2, h3, h4], [c1, c2]) = (&mut h, &mut c);
    let (mut plain, mut lanes) = (State { h: h1, next_h: h2, c: c1 }, State { h: h3, next_h: h4, c: c2 });
    for _ in 0..3 {
        let x: Vec<[i16; 1]> = numbers(random, columns, (-32_768, 32_767));
        cell.step(x.as_flattened(), &mut plain);
        copy.step(x.as_flattened(), None, &mut lanes);
        assert_eq!((&plain.h, &plain.c), (&lanes.h, &lanes.c), "{kind:?}, {columns} columns, {units} units");
        let sums: Vec<[i32; 1]> = numbers(random, units * cell.sums_of_unit(), (-60_000_000, 60_000_000));
        cell.step_folded(sums.as_flattened(), &mut plain);
        copy.step(&[], Some(sums.as_flattened()), &mut lanes);
        assert_eq!((&plain.h, &plain.c), (&lanes.h, &lanes.c), "{kind:?}, ready-made sums, {units} units");
    }
}

#[test]
fn steps_of_every_cell_give_the_same_bits() {
    let (weight, bias, multiplier) = ((-127, 127), (-2_000_000, 2_000_000), (0, 12_000));
    let mut random = Random(11);
    for (columns, units) in [(1, 1), (3, 9), (6, 8), (5, 34)] {
        let (random, input_size, shift) = (&mut random, NonZeroUsize::new(columns).unwrap(), 1);
        let (ih, hh) = (columns * units, units * units);
        check_steps(
            features::Interleaved4::new(Lstm {
                input_size,
                weight_ih: &numbers(random, ih, weight),
                weight_hh: &numbers(random, hh, weight),
                bias: &numbers(random, units, bias),
                multiplier_ih: &numbers(random, units, multiplier),
                multiplier_hh: &numbers(random, units, multiplier),
                shift,
            })
            .map(Cell::Lstm),
            CellKind::Lstm,
            columns,
            random,
        );
        check_steps(
            features::Gru::new(Gru {
                input_size,
                weight_ih: &numbers(random, ih, weight),
                weight_hh: &numbers(random, hh, weight),
                bias: &numbers(random, units, bias),
                multiplier_ih: &numbers(random, units, multiplier),
                multiplier_hh: &numbers(random, units, multiplier),
                shift,
            })
            .map(Cell::Gru),
            CellKind::Gru,
            columns,
            random,
        );
        for (relu, kind) in [(false, CellKind::Rnn), (true, CellKind::RnnRelu)] {
            check_steps(
                features::Rnn::new(Rnn {
                    input_size,
                    weight_ih: numbers::<_, 1>(random, ih, weight).as_flattened(),
                    weight_hh: numbers::<_, 1>(random, hh, weight).as_flattened(),
                    bias: numbers::<_, 1>(random, units, bias).as_flattened(),
                    multiplier_ih: numbers::<_, 1>(random, units, multiplier).as_flattened(),
                    multiplier_hh: numbers::<_, 1>(random, units, multiplier).as_flattened(),
                    shift,
                    relu,
                })
                .map(Cell::Rnn),
                kind,
                columns,
                random,
            );
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn models_of_every_kind_give_the_same_bits() {
    for seed in 0..MODELS {
        check(&Spec::random(seed).file(seed), true);
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
    for packing in Packing::LSTM {
        check(&random_file_in(packing, 3, Sizes { embedding_dim: 12, hidden_size: 20, classes: 2 }, "1"), true);
        [-1, 1].iter().for_each(|&sign| check(&extreme_file_in(packing, sign, sizes), true));
    }
}

#[test]
#[cfg_attr(miri, ignore = "loading files takes Miri hours")]
fn folded_tokens_give_the_same_bits() {
    let sizes = Sizes { embedding_dim: 8, hidden_size: 12, classes: 2 };
    for &cell in tern_format::Cell::ALL {
        for bidirectional in [false, true] {
            let spec = Spec { cell, bidirectional, ..sizes.into() };
            check(&spec.folded_file(Packing::plain(cell), 4, &[2, 3, 7]), true);
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

//! Tests of the steps of every cell in both packings, and of the checks of records.

use super::pair_biases;
use crate::error::LoadError;
use crate::testing::{
    Aligned, Random, Sizes, Spec, extreme_file_in, extreme_tensors, metadata, random_file_in, tensors,
};
use crate::write::{Tensor, packed, to_bytes};
use crate::{Model, Packing};
use std::{string::ToString, vec, vec::Vec};
use tern_format::Cell;

const SMALL: Sizes = Sizes { embedding_dim: 4, hidden_size: 8, classes: 2 };
/// Words of a record of [`SMALL`].
const WORDS: usize = 8 + 10 + 4;

/// The state after each of a hundred tokens.
fn states(file: &Aligned) -> Vec<u32> {
    let model = Model::from_bytes(file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let (mut random, ids) = (Random(8), model.config().vocab_size as i64 - 1);
    let step = |_| {
        session.feed_id(random.between(1, ids) as u32);
        session.state_hash()
    };
    (0..100).map(step).collect()
}

/// The first word is the lower one of the sum of both, the second the upper one, the third the second bias.
#[test]
fn initial_sums_give_their_biases_or_contradict_each_other() {
    let extremes = [i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX];
    for (first, second) in extremes.iter().flat_map(|&first| extremes.map(|second| (first, second))) {
        let sum = 256 * i64::from(first) + i64::from(second);
        let [low, high] = [sum as i32, (sum >> 32) as i32];
        assert_eq!(pair_biases([low, high, second]), Some([first, second]));
        assert_eq!(pair_biases([low ^ 1, high, second]), None);
        // Far beyond all sums of two biases, so that the difference from the second bias can need more than 64 bits.
        assert_eq!(pair_biases([0, i32::MIN, second]), None);
        assert_eq!(pair_biases([-1, i32::MAX, second]), None);
    }
}

#[test]
fn both_packings_give_the_same_states() {
    for (seed, (embedding_dim, hidden_size)) in (1..).zip([(4, 4), (20, 28), (36, 8), (12, 24), (16, 64)]) {
        let sizes = Sizes { embedding_dim, hidden_size, classes: 2 };
        for shift in ["0", "1", "3"] {
            for &cell in Cell::ALL {
                let spec = Spec { cell, ..sizes.into() };
                let [one, other] = Packing::for_8_bits(cell).map(|packing| random_file_in(packing, seed, spec, shift));
                assert_eq!(
                    Packing::for_8_bits(cell),
                    [&one, &other].map(|file| Model::from_bytes(file).unwrap().packing())
                );
                assert_eq!(states(&one), states(&other), "{cell}, {sizes:?}, shift {shift}");
            }
        }
    }
}

#[test]
fn both_packings_give_the_same_states_at_the_extremes() {
    let sizes = Sizes { embedding_dim: 116, hidden_size: 384, classes: 1 };
    for (&cell, sign) in Cell::ALL.iter().flat_map(|cell| [(cell, -1), (cell, 1)]) {
        let spec = Spec { cell, ..sizes.into() };
        let [one, other] = Packing::for_8_bits(cell).map(|packing| states(&extreme_file_in(packing, sign, spec)));
        assert_eq!(one, other, "{cell}");
    }
}

fn load(shift: &str, tensors: Vec<Tensor>) -> Result<(), LoadError> {
    let (metadata, tensors) = packed(Packing::Paired16, &metadata(shift), tensors);
    Model::from_bytes(&Aligned::new(&to_bytes(&metadata, tensors))).map(|_| ())
}

/// Loads a good file with one word of its records changed.
fn load_with(unit: usize, word: usize, change: impl FnOnce(i32) -> i32) -> Result<(), LoadError> {
    let (metadata, mut all) = packed(Packing::Paired16, &metadata("0"), tensors(1, SMALL));
    let units = all.iter_mut().find(|t| t.name == "lstm.units_l0").unwrap();
    let words: &mut [i32] = bytemuck::cast_slice_mut(&mut units.data);
    let word = &mut words[unit * WORDS + word];
    *word = change(*word);
    Model::from_bytes(&Aligned::new(&to_bytes(&metadata, all))).map(|_| ())
}

#[test]
fn paired_records_are_checked_for_ranges() {
    assert_eq!(load_with(0, 0, |word| word), Ok(()));
    let range = |unit| Err(LoadError::Range { tensor: "lstm.units_l0".into(), index: unit });
    // 256 · a + b with b = −128, a = −128, a = 128; in either half of a word of either half of a unit.
    for word in [0, 7, 18, 21] {
        for pair in [128, -32_768, 32_767] {
            assert_eq!(load_with(3, word, |word| (word & !0xffff) | (pair & 0xffff)), range(3));
            assert_eq!(load_with(7, word, |word| (word & 0xffff) | pair << 16), range(7));
        }
        assert_eq!(load_with(2, word, |_| 0x7f7f_8081_u32 as i32), Ok(()), "weights of 127, 127, −127, −127");
    }
    for multiplier in 8..12 {
        assert_eq!(load_with(1, multiplier, |word| word | 0x8000), range(1));
        assert_eq!(load_with(5, multiplier, |word| word | i32::MIN), range(5));
    }
    // The initial sums contain one bias twice, and another that must be an i32.
    for word in [12, 14, 15, 17] {
        assert_eq!(load_with(4, word, |word| word ^ 1), range(4));
    }
    assert_eq!(load_with(4, 13, |word| word ^ 0x80), range(4));
    let message = "record 4 of `lstm.units_l0` has a number out of range; export the model again";
    assert_eq!(range(4).unwrap_err().to_string(), message);
}

#[test]
fn paired_layers_are_checked_for_sizes_and_overflow() {
    let shape = load("0", tensors(1, Sizes { embedding_dim: 6, ..SMALL })).unwrap_err();
    assert_eq!(shape, LoadError::Shape { tensor: "lstm.units_l0".into(), found: [8, 24, 0], expected: [8, 26, 0] });
    assert!(matches!(load("0", tensors(1, Sizes { hidden_size: 7, ..SMALL })), Err(LoadError::Shape { .. })));

    let sizes = Sizes { embedding_dim: 4, hidden_size: 496, classes: 1 };
    assert_eq!(load("0", extreme_tensors(1, sizes)), Ok(()));
    let overflow = |row| Err(LoadError::Overflow { tensor: "lstm.units_l0".into(), row });
    assert_eq!(load("2", extreme_tensors(1, sizes)), overflow(0));
    let mut all = extreme_tensors(1, sizes);
    let bias = all.iter_mut().find(|t| t.name == "lstm.bias_l0").unwrap();
    bias.data[4 * 4 * 3 + 4..][..4].copy_from_slice(&i32::MAX.to_le_bytes());
    assert_eq!(load("0", all), overflow(4 * 3 + 1));
    let message = "row 1 of record 3 of `lstm.units_l0` could overflow 32 bits; export the model again";
    assert_eq!(overflow(4 * 3 + 1).unwrap_err().to_string(), message);
}

#[test]
fn a_packing_has_its_own_tensors() {
    let other = |packing: Packing| {
        let all = [tensors(1, SMALL), packed(Packing::Paired16, &[], tensors(1, SMALL)).1].concat();
        let mut names = Vec::new();
        let all = all.into_iter().filter(|t| {
            let new = !names.contains(&t.name);
            names.push(t.name.clone());
            new
        });
        let (metadata, _) = packed(packing, &metadata("0"), Vec::new());
        Model::from_bytes(&Aligned::new(&to_bytes(&metadata, all.collect()))).map(|_| ())
    };
    for packing in Packing::for_8_bits(Cell::Lstm) {
        assert!(matches!(other(packing), Err(LoadError::UnknownTensor(name)) if name.as_str().starts_with("lstm.")));
    }
}

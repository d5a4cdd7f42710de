//! Tests of models with weights of 4 and 16 bits.

use super::kinds::{check_self_test_and_cost, every_changed_byte_is_an_error_or_a_model_that_runs};
use super::{load, tensor, trace};
use crate::error::LoadError;
use crate::model::Model;
use crate::testing::{Aligned, Random, Sizes, Spec};
use crate::write::{Dtype, Tensor, packed, round_to_4_bits, to_bytes};
use std::{collections::BTreeSet, format, vec, vec::Vec};
use tern_format::Packing;
use tern_format::{Cell as CellKind, Input, Output, Task};

const SIZES: Sizes = Sizes { embedding_dim: 36, hidden_size: 18, classes: 3 };

fn texts(spec: Spec) -> Spec {
    Spec { task: Task::Classify, input: Input::Tokens, output: Output::Softmax, ..spec }
}

fn file(spec: &Spec, tensors: Vec<Tensor>) -> Aligned {
    Aligned::new(&to_bytes(&spec.metadata(), tensors))
}

#[test]
fn random_models_of_every_width_load_and_pass_their_own_test() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let spec = Spec::random_widths(seed);
        let file = spec.file(seed);
        check_self_test_and_cost(&Model::from_bytes(&file).unwrap(), &file);
        for (place, bits) in spec.bits.into_iter().enumerate() {
            seen.insert(format!("{} {place} {bits}", spec.cell.name()));
        }
    }
    assert_eq!(seen.len(), 4 * 4 * 3);
}

/// Row by row, and column by column: the same network.
#[test]
fn rows_give_what_the_plain_packing_gives() {
    for seed in 0..40 {
        let spec = texts(Spec::random(seed));
        let plain = file(&spec, spec.tensors(seed));
        let (metadata, tensors) = packed(Packing::Rows, &spec.metadata(), spec.tensors(seed));
        let rows = Aligned::new(&to_bytes(&metadata, tensors));
        let [plain, rows] = [&plain, &rows].map(|file| Model::from_bytes(file).unwrap());
        assert_eq!(rows.packing(), Packing::Rows);
        assert_eq!(trace(&plain), trace(&rows), "{spec:?}");
        let recurrent = |model: &Model<'_>| (model.cost().macs_per_token, model.cost().flash.recurrent);
        assert_eq!(recurrent(&plain), recurrent(&rows));
    }
}

/// 4 bits say the same as 8 that were rounded to them.
#[test]
fn weights_of_4_bits_are_weights_of_8() {
    for seed in 0..40 {
        let bits = [[4; 4], [4, 8, 8, 8], [8, 4, 8, 8], [8, 8, 4, 4]][seed as usize % 4];
        let spec = Spec { sizes: SIZES, head_hidden: 6, bits, ..texts(Spec::random(seed)) };
        let in_8 = Spec { bits: [8; 4], ..spec };
        let (metadata, mut tensors) = packed(Packing::Rows, &in_8.metadata(), in_8.tensors(seed));
        for tensor in tensors.iter_mut().filter(|tensor| tensor.dtype == Dtype::I8) {
            let place = match tensor.name.split_once('.').unwrap() {
                ("embedding", _) => 0,
                ("fc" | "hidden", _) => 3,
                (_, name) if name.starts_with("weight_ih") => 1,
                _ => 2,
            };
            if bits[place] == 4 {
                let columns = *tensor.shape.last().unwrap();
                tensor.data.chunks_mut(columns).for_each(|row| round_to_4_bits(bytemuck::cast_slice_mut(row)));
            }
        }
        let (expected, found) = (Aligned::new(&to_bytes(&metadata, tensors)), file(&spec, spec.tensors(seed)));
        let [expected, found] = [&expected, &found].map(|file| Model::from_bytes(file).unwrap());
        assert_eq!(trace(&expected), trace(&found), "{spec:?}");
        let parts = |model: &Model<'_>| [model.cost().flash.embedding, model.cost().flash.recurrent];
        assert!(parts(&found).iter().sum::<usize>() < parts(&expected).iter().sum());
    }
}

/// Multiples of 256 of 16 bits are weights of 8, where rows are in no pairs: those of plain cells, the head and the
/// embedding.
#[test]
fn weights_of_16_bits_are_256ths() {
    for seed in 0..20 {
        let cell = [CellKind::Rnn, CellKind::RnnRelu][seed as usize % 2];
        let spec = Spec { cell, sizes: SIZES, head_hidden: 5, ..texts(Spec::random(seed)) };
        let (metadata, tensors) = packed(Packing::Rows, &spec.metadata(), spec.tensors(seed));
        let expected = Aligned::new(&to_bytes(&metadata, tensors.clone()));
        let wide = tensors.into_iter().map(|tensor| {
            if tensor.dtype != Dtype::I8 {
                return tensor;
            }
            let weights: Vec<i16> = tensor.data.iter().map(|&byte| 256 * i16::from(byte as i8)).collect();
            crate::write::in_16_bits(&tensor.name, &tensor.shape, &weights)
        });
        let found = Aligned::new(&to_bytes(&metadata, wide.collect()));
        let [expected, found] = [&expected, &found].map(|file| Model::from_bytes(file).unwrap());
        assert_eq!(trace(&expected), trace(&found), "{spec:?}");
    }
}

#[test]
fn all_operands_at_their_ends_do_not_overflow() {
    // As many columns as the bounds allow; overflow checks are on here.
    for (bits, hidden_size) in [(4, 480), (16, 480)] {
        for (cell, sign) in CellKind::ALL.iter().flat_map(|&cell| [(cell, 1), (cell, -1)]) {
            let spec = Spec { cell, bits: [bits; 4], ..Sizes { embedding_dim: 16, hidden_size, classes: 2 }.into() };
            let mut tensors = spec.tensors(1);
            for tensor in &mut tensors {
                match (tensor.dtype, tensor.name.as_str()) {
                    (Dtype::U8, name) if name.contains("group_multiplier") => tensor.data.fill(18),
                    (Dtype::U8, name) if name.contains("weight") => {
                        tensor.data.fill(if sign > 0 { 0x77 } else { 0x99 })
                    }
                    (Dtype::I16, name) if name.contains("weight") => {
                        tensor.data = i16::to_le_bytes(32_512 * sign).repeat(tensor.data.len() / 2);
                    }
                    (Dtype::I16, _) => tensor.data = [0xff, 0x3f].repeat(tensor.data.len() / 2),
                    (_, name) if name.contains("bias") => tensor.data.fill(0),
                    _ => (),
                }
            }
            let file = file(&spec, tensors);
            trace(&Model::from_bytes(&file).unwrap());
        }
    }
}

/// A model with weights of 4 and of 16 bits, changed.
fn with(change: impl FnOnce(&mut Vec<Tensor>)) -> Result<(), LoadError> {
    let spec = Spec { bits: [4, 16, 4, 16], ..SIZES.into() };
    let mut tensors = spec.tensors(1);
    change(&mut tensors);
    load(&spec.metadata(), tensors)
}

#[test]
fn what_is_no_weight_is_refused() {
    assert_eq!(with(|_| ()), Ok(()));
    let range = |name: &str, index| Err(LoadError::Range { tensor: name.into(), index });
    for (name, byte, value) in
        [("embedding.weight", 7, 0x80), ("embedding.weight", 7, 0x08), ("lstm.weight_hh_l0", 9, 0x18)]
    {
        assert_eq!(with(|tensors| tensor(tensors, name).data[byte] = value), range(name, byte));
    }
    for name in ["embedding.group_multiplier", "lstm.group_multiplier_hh_l0"] {
        for value in [0, 19, 255] {
            assert_eq!(with(|tensors| tensor(tensors, name).data[3] = value), range(name, 3));
        }
        assert_eq!(with(|tensors| tensors.retain(|t| t.name != name)), Err(LoadError::MissingTensor(name.into())));
    }
    for name in ["lstm.weight_ih_l0", "fc.weight"] {
        assert_eq!(with(|tensors| tensor(tensors, name).data[4..6].copy_from_slice(&[0, 0x80])), range(name, 2));
    }
    let more = Tensor::new("fc.group_multiplier", Dtype::U8, &[3, 2], &[1u8; 6]);
    assert_eq!(with(|tensors| tensors.push(more)), Err(LoadError::UnknownTensor("fc.group_multiplier".into())));
    let error = with(|tensors| tensor(tensors, "embedding.group_multiplier").shape = vec![3, 10]);
    assert!(matches!(error, Err(LoadError::Shape { expected: [10, 3, 0], .. })), "{error:?}");
    // A bias that a row of 16 bits has no room for.
    let error = with(|tensors| tensor(tensors, "fc.bias").data[..4].copy_from_slice(&i32::MAX.to_le_bytes()));
    assert_eq!(error, Err(LoadError::Overflow { tensor: "fc.weight".into(), row: 0 }));
    // Weights of other widths have no place in another packing.
    let spec = Spec { bits: [8, 16, 8, 8], ..SIZES.into() };
    let mut metadata = spec.metadata();
    metadata.iter_mut().filter(|(key, _)| key == "tern.packing").for_each(|(_, word)| *word = "interleaved4".into());
    assert_eq!(
        load(&metadata, spec.tensors(1)),
        Err(LoadError::Type { tensor: "lstm.weight_ih_l0".into(), expected: "I8" })
    );
}

#[test]
fn every_changed_byte_of_every_width_is_an_error_or_a_model_that_runs() {
    let sizes = Sizes { embedding_dim: 4, hidden_size: 2, classes: 2 };
    for (seed, bits) in (1..).zip([[4; 4], [16; 4]]) {
        let spec = Spec { cell: CellKind::ALL[seed as usize], bits, ..sizes.into() };
        every_changed_byte_is_an_error_or_a_model_that_runs(&spec, seed);
    }
}

#[test]
fn rounding_to_4_bits_keeps_what_it_can() {
    let mut random = Random(8);
    for _ in 0..500 {
        let mut row: Vec<i8> = (0..20).map(|_| random.between(-127, 127) as i8).collect();
        let exact = row.clone();
        round_to_4_bits(&mut row);
        // No worse than multiples of 18 would be, which reach 126: half of 18, and 1 for 127.
        for (found, exact) in row.chunks(16).zip(exact.chunks(16)) {
            let squares = |other: &dyn Fn(i32) -> i32| -> i32 {
                exact.iter().map(|&w| (i32::from(w) - other(w.into())).pow(2)).sum()
            };
            let error: i32 = found.iter().zip(exact).map(|(&a, &b)| (i32::from(a) - i32::from(b)).pow(2)).sum();
            assert!(error <= squares(&|w| (w + 9).div_euclid(18).clamp(-7, 7) * 18), "{exact:?}: {found:?}");
        }
        let again = row.clone();
        round_to_4_bits(&mut row);
        assert_eq!(row, again);
    }
}

/// The limit of a header leaves room for the largest that the format has: all layers in both directions, all weights
/// with groups.
#[test]
fn the_largest_header_is_a_fraction_of_the_limit() {
    let sizes = Sizes { embedding_dim: 32, hidden_size: 32, classes: 2 };
    let spec =
        Spec { layers: 4, bidirectional: true, head_hidden: 32, bits: [4; 4], cell: CellKind::Gru, ..sizes.into() };
    let file = file(&spec, spec.tensors(1));
    let header = Model::from_bytes(&file).unwrap().cost().flash.header;
    assert!((6_000..8_192).contains(&header), "{header} bytes of 32,768");
}

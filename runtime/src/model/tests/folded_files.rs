//! Tests of files with folded tokens.

use super::{SMALL, load, run, tensor, trace};
use crate::error::LoadError;
use crate::model::Model;
use crate::testing::{Aligned, Sizes, Spec};
use crate::write::{Dtype, Tensor, folded, folded_bytes, to_bytes};
use std::{vec, vec::Vec};
use tern_format::Packing;
use tern_format::{Cell as CellKind, Input, Output, Task};

/// Kinds that read text, in each packing of their cells that has a place for them.
fn kinds() -> impl Iterator<Item = (Spec, Packing, u64)> {
    (0..80).flat_map(|seed| {
        let mut spec =
            Spec { task: Task::Classify, input: Input::Tokens, output: Output::Softmax, ..Spec::random(seed) };
        let mut packings = vec![Packing::plain(spec.cell)];
        if seed % 2 == 0 {
            spec.sizes = Sizes { embedding_dim: 8, hidden_size: 4, classes: 3 };
            packings.push(Packing::Paired16);
        }
        packings.into_iter().map(move |packing| (spec, packing, seed))
    })
}

#[test]
fn folded_or_not_the_results_are_the_same_bits() {
    for (spec, packing, seed) in kinds() {
        let files = [&[][..], &[1], &[3, 5, 9, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]
            .map(|ids| (ids.len(), spec.folded_file(packing, seed, ids)));
        let plain = Model::from_bytes(&files[0].1).unwrap();
        let (expected, bytes) = (trace(&plain), folded_bytes(&plain));
        for (count, file) in &files {
            let model = Model::from_bytes(file).unwrap();
            assert_eq!(trace(&model), expected, "{spec:?}, {count} folded");
            let cost = model.cost();
            assert_eq!((cost.folded_tokens, cost.flash.folded), (*count, count * bytes));
            let ways = 1 + usize::from(spec.bidirectional);
            let saved = ways * spec.cell.gates() * spec.sizes.hidden_size * spec.sizes.embedding_dim;
            assert_eq!(cost.macs_per_folded_token, cost.macs_per_token - saved);
        }
    }
}

/// A file's own sums count, whatever its weights would make of the token.
#[test]
fn folded_tokens_are_used_by_steps() {
    for (spec, packing, seed) in kinds() {
        // The ids below are those of sorted tokens.
        if packing != Packing::plain(spec.cell) || spec.fingerprints {
            continue;
        }
        let plain = Aligned::new(&to_bytes(&spec.metadata(), spec.tensors(seed)));
        let plain = Model::from_bytes(&plain).unwrap();
        // The sums of `call`, id 3, under the id of `now`, 7.
        let mut tensors = spec.tensors(seed);
        tensors.extend(folded(&plain, &[3]));
        words(&mut tensors, "folded.ids", |ids| ids.fill(7));
        let file = Aligned::new(&to_bytes(&spec.metadata(), tensors));
        let model = Model::from_bytes(&file).unwrap();
        assert_eq!(run(&model, b"now free now now"), run(&plain, b"call free call call"), "{spec:?}");
    }
}

/// The tensors of a folded file, changed.
fn with(spec: Spec, change: impl FnOnce(&mut Vec<Tensor>)) -> Result<(), LoadError> {
    let mut tensors = spec.tensors(1);
    let draft = Aligned::new(&to_bytes(&spec.metadata(), tensors.clone()));
    tensors.extend(folded(&Model::from_bytes(&draft).unwrap(), &[2, 4]));
    change(&mut tensors);
    load(&spec.metadata(), tensors)
}

fn words(tensors: &mut [Tensor], name: &str, change: impl FnOnce(&mut [i32])) {
    change(bytemuck::cast_slice_mut(&mut tensor(tensors, name).data));
}

#[test]
fn what_cannot_be_folded_is_refused() {
    let plain = Spec::from(SMALL);
    let ids = |index| Err(LoadError::Range { tensor: "folded.ids".into(), index });
    let sums = |index| Err(LoadError::Range { tensor: "folded.sums".into(), index });
    assert_eq!(with(plain, |_| ()), Ok(()));
    for (values, error) in [([4, 2], ids(1)), ([4, 4], ids(1)), ([2, 10], ids(1)), ([-1, 2], ids(0))] {
        assert_eq!(with(plain, |tensors| words(tensors, "folded.ids", |ids| ids.copy_from_slice(&values))), error);
    }
    for (index, value) in [(0, i32::MIN), (21, i32::MAX), (39, i32::MIN)] {
        assert_eq!(with(plain, |tensors| words(tensors, "folded.sums", |sums| sums[index] = value)), sums(index));
    }
    let gru = Spec { cell: CellKind::Gru, ..plain };
    assert_eq!(with(gru, |tensors| words(tensors, "folded.sums", |sums| sums[23] += 1)), sums(23));
    for name in ["folded.ids", "folded.sums"] {
        let error = with(plain, |tensors| tensors.retain(|tensor| tensor.name != name));
        assert_eq!(error, Err(LoadError::MissingTensor(name.into())));
    }
    let both = Spec { bidirectional: true, ..plain };
    let error = with(both, |tensors| tensors.retain(|tensor| tensor.name != "folded.sums_reverse"));
    assert_eq!(error, Err(LoadError::MissingTensor("folded.sums_reverse".into())));
    let more = Tensor::new("folded.sums_reverse", Dtype::I32, &[2, 5, 4], &[0; 40]);
    let error = with(plain, |tensors| tensors.push(more));
    assert_eq!(error, Err(LoadError::UnknownTensor("folded.sums_reverse".into())));
    let error = with(plain, |tensors| tensor(tensors, "folded.sums").shape = vec![2, 4, 5]);
    let shape = LoadError::Shape { tensor: "folded.sums".into(), found: [2, 4, 5], expected: [2, 5, 4] };
    assert_eq!(error, Err(shape));
    let values = Spec { input: Input::Values, ..plain };
    let mut tensors = values.tensors(1);
    tensors.push(Tensor::new("folded.ids", Dtype::U32, &[1], &[2u32]));
    assert_eq!(load(&values.metadata(), tensors), Err(LoadError::UnknownTensor("folded.ids".into())));
}

//! Folds tokens: computes the input projections of frequent tokens, to be stored in a device file. The step of a folded
//! token then costs only the recurrent projection.

use alloc::{vec, vec::Vec};

use super::tensor::Tensor;
use crate::Model;
use crate::layers::Summary;
use crate::load::dtype::Dtype;
use tern_format::Input;

/// Returns the number of bytes that each folded token takes in a device file.
pub fn folded_bytes(model: &Model<'_>) -> usize {
    // Only the first layer reads the token itself, in each direction.
    let cells = model.cells().iter().take(model.config().directions());
    // The id and the sums have 4 bytes each.
    4 + cells.map(|cell| 4 * cell.summary().hidden_size * cell.summary().sums_of_unit).sum::<usize>()
}

/// Returns the tensors `folded.*` for the tokens `ids` of a model, to be added to the tensors of its file. They do not
/// change any result. Returns no tensors if there are no ids or the model reads values. The model must have a recurrent
/// branch. The order of the ids does not matter, and an id may occur twice.
///
/// # Panics
/// If an id is beyond the vocabulary, or if the model runs from a copy of its weights.
pub fn folded(model: &Model<'_>, ids: &[u32]) -> Vec<Tensor> {
    let config = model.config();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() || config.input != Input::Tokens {
        return Vec::new();
    }
    assert!(ids.iter().all(|&id| (id as usize) < config.vocab_size), "a folded id is beyond the vocabulary");
    let mut tensors = vec![Tensor::new("folded.ids", Dtype::U32, &[ids.len()], &ids)];
    for (cell, name) in
        model.cells().iter().zip(["folded.sums", "folded.sums_reverse"]).take(model.config().directions())
    {
        let mut x = vec![0; config.embedding_dim];
        let sums = ids.iter().flat_map(|&id| {
            model.embedding.embed(id, &mut x);
            cell.input_sums(&x)
        });
        let sums: Vec<i32> = sums.collect();
        let Summary { hidden_size, sums_of_unit, .. } = cell.summary();
        let mut shape = vec![ids.len(), hidden_size];
        if sums_of_unit > 1 {
            shape.push(sums_of_unit);
        }
        tensors.push(Tensor::new(name, Dtype::I32, &shape, &sums));
    }
    tensors
}

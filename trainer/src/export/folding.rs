//! Folding: the input halves of frequent tokens are stored in the device file, so that their steps cost less.

use crate::float_model::FloatModel;
use crate::quantize::calibrate::Statistics;
use crate::train::{Sample, Steps};
use serde::Serialize;
use tern_runtime::Model;
use tern_runtime::write::folded_bytes;

/// The effect of folding on the validation rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Folding {
    /// Number of tokens whose input halves are stored.
    pub folded_tokens: usize,
    /// Bytes that they take in the file.
    pub folded_bytes: usize,
    /// Fraction of the validation tokens that are folded; `None` without validation rows.
    pub folded_share: Option<f64>,
    /// Multiply-accumulates that a folded token saves: those of the first layer's input half.
    pub macs_of_input: usize,
    /// Multiply-accumulates saved per validation token, on average.
    pub macs_saved_per_token: Option<f64>,
}

/// Chooses the tokens to fold in a table of `bytes` bytes, by device id: the most frequent ones of the calibration set, and
/// among equally frequent ones the first in the vocabulary.
pub fn choose(model: &FloatModel, device: &Model<'_>, statistics: &Statistics, bytes: usize) -> Vec<u32> {
    let order = model.vocabulary().device_order();
    let mut by_count: Vec<(u32, u32)> = (0..).zip(order).filter(|(_, desktop)| *desktop != 0).collect();
    // The counts are whole numbers. Desktop ids are sorted by frequency on the training set.
    by_count.sort_by_key(|&(_, desktop)| (std::cmp::Reverse(statistics.counts[desktop as usize] as u64), desktop));
    by_count.into_iter().map(|(id, _)| id).take(bytes / folded_bytes(device)).collect()
}

/// Measures a device file in which the device ids `ids` are folded.
pub fn figures(model: &FloatModel, device: &Model<'_>, ids: &[u32], samples: &[Sample]) -> Folding {
    let order = model.vocabulary().device_order();
    let mut is_folded = vec![false; order.len()];
    ids.iter().for_each(|&id| is_folded[order[id as usize] as usize] = true);
    let tokens = samples.iter().flat_map(|sample| match &sample.steps {
        Steps::Tokens(ids) => ids.as_slice(),
        Steps::Values { .. } => &[],
    });
    let (read, found) =
        tokens.fold((0usize, 0usize), |(read, found), &id| (read + 1, found + usize::from(is_folded[id as usize])));
    let folded_share = (read > 0).then(|| found as f64 / read as f64);
    let cost = device.cost();
    let macs_of_input = device.macs_per_token() - cost.macs_per_folded_token;
    Folding {
        folded_tokens: ids.len(),
        folded_bytes: ids.len() * folded_bytes(device),
        folded_share,
        macs_of_input,
        macs_saved_per_token: folded_share.map(|share| share * macs_of_input as f64),
    }
}

//! Folding: input halves of frequent tokens ready-made in the file, as many as a table of so many bytes holds.

use crate::float_model::FloatModel;
use crate::quantize::calibrate::Statistics;
use crate::train::{Sample, Steps};
use serde::Serialize;
use tern_runtime::Model;
use tern_runtime::write::folded_bytes;

/// What folding does on text that the model did not learn from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Folding {
    /// Tokens whose input halves stand in the file.
    pub folded_tokens: usize,
    /// Bytes that they take.
    pub folded_bytes: usize,
    /// Share of the held-out text's tokens that are folded; none without held-out data.
    pub folded_share: Option<f64>,
    /// Multiply-accumulates of a step that a folded token does without: those of the first layer's input half.
    pub macs_of_input: usize,
    /// How many of them a token of that text does without on the average: its share of them.
    pub macs_saved_per_token: Option<f64>,
}

/// The device's ids of the tokens to fold in a table of so many bytes: the most frequent ones of the calibration data; where they are equally
/// frequent, those that come first in the vocabulary.
pub fn choose(model: &FloatModel, device: &Model<'_>, statistics: &Statistics, bytes: usize) -> Vec<u32> {
    let order = model.vocabulary().device_order();
    let mut by_count: Vec<(u32, u32)> = (0..).zip(order).filter(|(_, desktop)| *desktop != 0).collect();
    // Counts are whole numbers. A desktop's id is a rank by frequency, too.
    by_count.sort_by_key(|&(_, desktop)| (std::cmp::Reverse(statistics.counts[desktop as usize] as u64), desktop));
    by_count.into_iter().map(|(id, _)| id).take(bytes / folded_bytes(device)).collect()
}

/// The figures of a file in which `ids` are folded.
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

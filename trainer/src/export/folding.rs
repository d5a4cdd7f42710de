//! Folding: precomputed products of the first layer for frequent tokens.
//!
//! The product of the first layer's input weights with a token's embedding does not depend on the state. Folding stores
//! it in the device file for frequent tokens (their *input halves*), so that a step with one of them costs less.

use crate::device_file::DeviceFile;
use crate::float_model::FloatModel;
use crate::nn::sample::{Sample, Steps};
use crate::quantize::calibrate::Statistics;
use crate::vocabulary::PAD;
use serde::Serialize;
use tern_runtime::Model;
use tern_runtime::write::{folded, folded_bytes};

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

/// Returns the device ids of the tokens to fold: as many as a table of `bytes` bytes holds, those that are most
/// frequent in the calibration set; among equally frequent ones, the first in the vocabulary.
pub fn choose(model: &FloatModel, device: &Model<'_>, statistics: &Statistics, bytes: usize) -> Vec<u32> {
    // A device id is an index of this list, which holds the token's id in the vocabulary of the desktop.
    let desktop_ids = model.vocabulary().device_order();
    let mut by_count: Vec<(u32, u32)> = (0..).zip(desktop_ids).filter(|(_, desktop_id)| *desktop_id != PAD).collect();
    // Counts are whole numbers in a float, so the cast is exact. Among tokens with equal counts the one with the lower
    // desktop id, which is more frequent in training, comes first.
    by_count.sort_by_key(|&(_, id)| (std::cmp::Reverse(statistics.counts[id as usize] as u64), id));
    by_count.into_iter().map(|(device_id, _)| device_id).take(bytes / folded_bytes(device)).collect()
}

/// Returns the bytes of a device file to which the input halves of the tokens `device_ids` are added.
pub fn with_folded(device: &DeviceFile, device_ids: &[u32]) -> Vec<u8> {
    device.with_tensors(folded(device.model(), device_ids))
}

/// Measures a device file in which the tokens `device_ids` are folded.
pub fn figures(model: &FloatModel, device: &Model<'_>, device_ids: &[u32], samples: &[Sample]) -> Folding {
    let desktop_ids = model.vocabulary().device_order();
    // For each desktop id.
    let mut is_folded = vec![false; desktop_ids.len()];
    device_ids.iter().for_each(|&id| is_folded[desktop_ids[id as usize] as usize] = true);
    let tokens = samples.iter().flat_map(|sample| match &sample.steps {
        Steps::Tokens(ids) => ids.as_slice(),
        Steps::Values { .. } => &[],
    });
    let (all, folded) =
        tokens.fold((0usize, 0usize), |(all, folded), &id| (all + 1, folded + usize::from(is_folded[id as usize])));
    let folded_share = (all > 0).then(|| folded as f64 / all as f64);
    let macs_of_input = device.macs_per_token() - device.cost().macs_per_folded_token;
    Folding {
        folded_tokens: device_ids.len(),
        folded_bytes: device_ids.len() * folded_bytes(device),
        folded_share,
        macs_of_input,
        macs_saved_per_token: folded_share.map(|share| share * macs_of_input as f64),
    }
}

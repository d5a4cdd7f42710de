//! Folding: precomputed input projections of frequent tokens in the device file.
//!
//! The input projection of the first layer, W_ih·x + b, depends on the token alone, not on the state. A step with a
//! folded token reads it from the file, and only computes the recurrent half.
//!
//! A device file sorts its tokens, so a token has a *device id* there and a *float id* in the float model's vocabulary.
//! `float_ids` below is the float id of each device id.

use crate::device_file::DeviceFile;
use crate::nn::sample::{Sample, Steps};
use crate::quantize::calibrate::Statistics;
use crate::vocabulary::PAD;
use serde::Serialize;
use tern_runtime::Model;
use tern_runtime::write::{folded, folded_bytes};

/// The effect of folding on the validation rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Folding {
    /// The number of folded tokens.
    pub folded_tokens: usize,
    /// The number of bytes of the file that the folded tokens take.
    pub folded_bytes: usize,
    /// The share of the tokens of the validation rows that are folded, 0 to 1; `None` without validation rows.
    pub folded_share: Option<f64>,
    /// The multiply-accumulates that a folded token saves: those of the first layer's input projection.
    pub macs_of_input: usize,
    /// The multiply-accumulates that folding saves for a token of the validation rows, on average; `None` without
    /// validation rows.
    pub macs_saved_per_token: Option<f64>,
}

/// Returns the device ids of the tokens to fold: the tokens that are most frequent in the calibration set, as many as
/// fit into `bytes` bytes of the file.
pub fn choose(float_ids: &[u32], device: &Model<'_>, statistics: &Statistics, bytes: usize) -> Vec<u32> {
    // No text contains PAD.
    let mut candidates: Vec<(u32, u32)> =
        (0..).zip(float_ids.iter().copied()).filter(|(_, float_id)| *float_id != PAD).collect();
    // Counts are whole numbers in a float, so the cast is exact. Among tokens with equal counts, the one with the lower
    // float id, which is more frequent in training, comes first.
    let count = |float_id: u32| statistics.token_counts[float_id as usize] as u64;
    candidates.sort_by_key(|&(_, float_id)| (std::cmp::Reverse(count(float_id)), float_id));
    candidates.into_iter().map(|(device_id, _)| device_id).take(bytes / folded_bytes(device)).collect()
}

/// Returns the bytes of `device` with the tokens `device_ids` folded.
pub fn with_folded(device: &DeviceFile, device_ids: &[u32]) -> Vec<u8> {
    device.with_tensors(folded(device.model(), device_ids))
}

/// Measures the effect of folding the tokens `device_ids` on `samples`, whose tokens have float ids.
pub fn figures(float_ids: &[u32], device: &Model<'_>, device_ids: &[u32], samples: &[Sample]) -> Folding {
    // Indexed by float id.
    let mut is_folded = vec![false; float_ids.len()];
    for &device_id in device_ids {
        is_folded[float_ids[device_id as usize] as usize] = true;
    }
    let tokens = samples.iter().flat_map(|sample| match &sample.steps {
        Steps::Tokens(ids) => ids.as_slice(),
        Steps::Values { .. } => &[],
    });
    let (mut token_count, mut folded_count) = (0usize, 0usize);
    for &float_id in tokens {
        token_count += 1;
        folded_count += usize::from(is_folded[float_id as usize]);
    }
    let folded_share = (token_count > 0).then(|| folded_count as f64 / token_count as f64);
    let macs_of_input = device.macs_per_token() - device.cost().macs_per_folded_token;
    Folding {
        folded_tokens: device_ids.len(),
        folded_bytes: device_ids.len() * folded_bytes(device),
        folded_share,
        macs_of_input,
        macs_saved_per_token: folded_share.map(|share| share * macs_of_input as f64),
    }
}

//! Converts layers from the packing `interleaved4` to `paired16`.

use alloc::{format, string::String, vec::Vec};

use super::tensor::Tensor;
use crate::Packing;
use crate::load::dtype::Dtype;

/// Converts metadata and tensors from the plain packing of their cell to another packing. [`Packing::Paired16`] is for
/// LSTM, and E and H must be multiples of 4, or the loader refuses the result; [`Packing::Rows`] is for any cell. The
/// interleaved packings leave everything unchanged.
///
/// # Panics
/// If a tensor of a layer is missing.
pub fn packed(
    packing: Packing,
    metadata: &[(String, String)],
    tensors: Vec<Tensor>,
) -> (Vec<(String, String)>, Vec<Tensor>) {
    let tensors = match packing {
        Packing::Interleaved4 | Packing::Interleaved3 | Packing::Interleaved1 => return (metadata.to_vec(), tensors),
        Packing::Paired16 => paired(tensors),
        #[cfg(feature = "widths")]
        Packing::Rows => tensors.into_iter().map(super::round::by_rows).collect(),
        #[cfg(not(feature = "widths"))]
        Packing::Rows => tensors,
    };
    let renamed = metadata.iter().map(|(key, word)| match key.as_str() {
        "tern.packing" => (key.clone(), packing.name().into()),
        _ => (key.clone(), word.clone()),
    });
    (renamed.collect(), tensors)
}

/// Replaces the tensors of each LSTM layer by one.
fn paired(tensors: Vec<Tensor>) -> Vec<Tensor> {
    let (layers, mut all): (Vec<Tensor>, Vec<Tensor>) = tensors.into_iter().partition(|t| t.name.starts_with("lstm."));
    for weight_ih in &layers {
        let Some(place) = weight_ih.name.strip_prefix("lstm.weight_ih_") else { continue };
        let find = |name: &str| {
            let name = format!("lstm.{name}_{place}");
            layers.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("tensor `{name}` is missing"))
        };
        let [h, e] = [weight_ih.shape[0], weight_ih.shape[1]];
        let (weight_hh, bias) = (find("weight_hh"), find("bias"));
        let (multiplier_ih, multiplier_hh) = (find("multiplier_ih"), find("multiplier_hh"));
        let mut units: Vec<i32> = Vec::new();
        for unit in 0..h {
            units.extend(weights(&weight_hh.data[unit * 4 * h..][..4 * h]));
            units.extend(words(&multiplier_hh.data[unit * 8..][..8]));
            units.extend(words(&multiplier_ih.data[unit * 8..][..8]));
            let bias: Vec<i32> = words(&bias.data[unit * 16..][..16]).collect();
            for pair in bias.chunks_exact(2) {
                let sum = 256 * i64::from(pair[0]) + i64::from(pair[1]);
                units.extend([sum as i32, (sum >> 32) as i32, pair[1]]);
            }
            units.extend(weights(&weight_ih.data[unit * 4 * e..][..4 * e]));
        }
        let name = format!("lstm.units_{place}");
        all.push(Tensor::new(&name, Dtype::I32, &[h, units.len() / h], &units));
    }
    all
}

fn words(bytes: &[u8]) -> impl Iterator<Item = i32> {
    bytes.chunks_exact(4).map(|word| i32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

/// The weights of a unit in one projection: for each two columns a word of rows `i f`, then one of rows `g o`.
fn weights(columns: &[u8]) -> impl Iterator<Item = i32> {
    columns.chunks_exact(8).flat_map(|two| {
        let pair = |at: usize| 256 * i32::from(two[at] as i8) + i32::from(two[at + 1] as i8);
        let word = |first: i32, second: i32| (first & 0xffff) | (second << 16);
        [word(pair(0), pair(4)), word(pair(2), pair(6))]
    })
}

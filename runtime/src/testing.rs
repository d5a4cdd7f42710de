//! Small random models to test with, on the host (feature `testing`).

use alloc::{format, string::String, vec, vec::Vec};

use crate::Packing;
use crate::write::{Dtype, Tensor, packed, to_bytes};

pub use crate::write::Aligned;

/// Sizes of a random model.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Embedding size E.
    pub embedding_dim: usize,
    /// Hidden size H.
    pub hidden_size: usize,
    /// How many labels.
    pub classes: usize,
}

/// The tokens that every random model knows: ids 2, 3, ….
pub const TOKENS: [&str; 8] = ["!!", "call", "caller", "free", "grüße", "now", "prize", "мир"];

/// Pseudo-random numbers (SplitMix64): the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number, 0 … 2^64 − 1.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `low ..= high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.number() % (high - low + 1) as u64) as i64
    }

    fn weights(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.between(-127, 127) as i8).collect()
    }

    fn multipliers(&mut self, count: usize, largest: i64) -> Vec<i16> {
        (0..count).map(|_| self.between(1, largest) as i16).collect()
    }

    fn biases(&mut self, count: usize) -> Vec<i32> {
        (0..count).map(|_| self.between(-2_000_000, 2_000_000) as i32).collect()
    }
}

/// The metadata of every random model. `shift`: of the recurrent layer, `"0"` … `"8"`.
pub fn metadata(shift: &str) -> [(&str, &str); 12] {
    crate::write::metadata(shift, "0")
}

/// The tensors of a random model. Its golden logits are zeros: [`random_file`] puts in those that it gives.
pub fn tensors(seed: u64, sizes: Sizes) -> Vec<Tensor> {
    let Sizes { embedding_dim: e, hidden_size: h, classes: c } = sizes;
    let v = TOKENS.len() + 2;
    let random = &mut Random(seed);
    let labels: Vec<String> = (0..c).map(|i| format!("label{i}")).collect();
    let mut tensors = vec![
        Tensor::new("name", Dtype::U8, &[6], b"random"),
        Tensor::new("embedding.weight", Dtype::I8, &[v, e], &random.weights(v * e)),
        Tensor::new("embedding.multiplier", Dtype::I16, &[v], &random.multipliers(v, 32_767)),
        Tensor::new("embedding.scale", Dtype::F32, &[1], &[0x3f80_0000u32]),
        Tensor::new("lstm.weight_ih_l0", Dtype::I8, &[h, e, 4], &random.weights(4 * h * e)),
        Tensor::new("lstm.weight_hh_l0", Dtype::I8, &[h, h, 4], &random.weights(4 * h * h)),
        Tensor::new("lstm.bias_l0", Dtype::I32, &[h, 4], &random.biases(4 * h)),
        Tensor::new("lstm.multiplier_ih_l0", Dtype::I16, &[h, 4], &random.multipliers(4 * h, 12_000)),
        Tensor::new("lstm.multiplier_hh_l0", Dtype::I16, &[h, 4], &random.multipliers(4 * h, 12_000)),
        Tensor::new("fc.weight", Dtype::I8, &[c, h], &random.weights(c * h)),
        Tensor::new("fc.bias", Dtype::I32, &[c], &random.biases(c)),
        Tensor::new("fc.multiplier", Dtype::I16, &[c], &random.multipliers(c, 2_000)),
        Tensor::new("golden.logits", Dtype::I32, &[GOLDEN.len(), c], &vec![0i32; GOLDEN.len() * c]),
        Tensor::new("calibration", Dtype::I32, &[4], &[0i32; 4]),
    ];
    tensors.extend(Tensor::texts("labels", labels.iter().map(String::as_str)));
    tensors.extend(Tensor::texts("vocab", TOKENS));
    tensors.extend(Tensor::texts("golden", GOLDEN));
    tensors
}

const GOLDEN: [&str; 3] = ["Free prize, call now!!", "Grüße, caller", "nothing known here"];

/// The tensors of a model in which all that meets in a sum is at an end of its range: `sign` · 127 for every weight, the largest multipliers
/// everywhere, no biases. It loads with shift 0 for E + H up to about 500.
pub fn extreme_tensors(sign: i8, sizes: Sizes) -> Vec<Tensor> {
    let mut all = tensors(1, sizes);
    for t in &mut all {
        match t.dtype {
            Dtype::I8 => t.data.fill((127 * sign) as u8),
            Dtype::I16 => t.data = [0xff, 0x7f].repeat(t.data.len() / 2),
            _ if t.name.contains("bias") => t.data.fill(0),
            _ => (),
        }
    }
    all
}

/// A random model's file, with the golden logits that this crate computes.
///
/// # Panics
/// If the crate refuses what it should run: a test then fails.
pub fn random_file(seed: u64, sizes: Sizes, shift: &str) -> Aligned {
    random_file_in(Packing::Interleaved4, seed, sizes, shift)
}

/// [`random_file`] in either packing.
///
/// # Panics
/// As [`random_file`], and if the packing has no place for such sizes.
pub fn random_file_in(packing: Packing, seed: u64, sizes: Sizes, shift: &str) -> Aligned {
    with_golden(packing, tensors(seed, sizes), shift)
}

/// The file of [`extreme_tensors`].
///
/// # Panics
/// As [`random_file_in`].
pub fn extreme_file_in(packing: Packing, sign: i8, sizes: Sizes) -> Aligned {
    with_golden(packing, extreme_tensors(sign, sizes), "0")
}

fn with_golden(packing: Packing, tensors: Vec<Tensor>, shift: &str) -> Aligned {
    let (metadata, mut all) = packed(packing, &metadata(shift), tensors);
    let draft = Aligned::new(&to_bytes(&metadata, all.clone()));
    let model = crate::Model::from_bytes(&draft).expect("a random model loads");
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).expect("the scratch has the length asked for");
    let logits: Vec<i32> =
        GOLDEN.iter().flat_map(|t| session.classify(t.as_bytes()).iter().collect::<Vec<_>>()).collect();
    let golden = all.iter_mut().find(|t| t.name == "golden.logits").expect("there are golden logits");
    golden.data = bytemuck::cast_slice(&logits).to_vec();
    Aligned::new(&to_bytes(&metadata, all))
}

//! The tensors of random models, their vocabulary and their golden texts.

use alloc::{format, string::String, vec, vec::Vec};

use super::random::Random;
use crate::text::{NgramHasher, Splitter, Tokenizer};
#[cfg(feature = "token_fingerprints")]
use crate::write::FingerprintVocabulary;
use crate::write::{Dtype, Tensor};
use tern_format::Ngrams;

/// The vocabulary of every random model that reads text: the tokens with the ids 2, 3, …
pub const TOKENS: [&str; 8] = ["!!", "call", "caller", "free", "grüße", "now", "prize", "мир"];

/// The n-gram branch of a random model: a table with a row, a bucket, for each hash of an n-gram.
#[derive(Clone, Copy, Debug)]
pub struct NgramSpec {
    /// The n-grams that it counts.
    pub ngrams: Ngrams,
    /// The number of buckets, a power of 2.
    pub buckets: usize,
    /// The rank, which is the number of columns, a power of 2.
    pub rank: usize,
    /// The bits of the table: 4 or 8.
    pub bits: u32,
    /// The texts whose n-grams have the fingerprint of their bucket, so that they count. Empty for a table without
    /// fingerprints, with which every n-gram counts.
    pub counted: &'static [&'static str],
    /// The shift of the scaled sums: 0 to 8.
    pub shift: u32,
    /// The shift of the hidden states before they are pooled, in a model with both branches: 0 to 8.
    pub pooled_shift: u32,
}

/// The number 1 as the bits of an IEEE 754 single: the scale of every part.
pub(super) const ONE: u32 = 0x3f80_0000;

/// The tensors of the embedding with the embedding dimension `e`, of the vocabulary and of the golden texts.
/// `has_fingerprints`: true if the vocabulary stores fingerprints of the tokens, which changes their order.
pub(super) fn token_tensors(random: &mut Random, e: usize, has_fingerprints: bool) -> Vec<Tensor> {
    // The tokens, PAD and UNK.
    let v = TOKENS.len() + 2;
    let mut tensors = vec![
        Tensor::new("embedding.weight", Dtype::I8, &[v, e], &random.weights(v * e)),
        Tensor::new("embedding.multiplier", Dtype::I16, &[v], &random.multipliers(v, 32_767)),
        Tensor::new("embedding.scale", Dtype::F32, &[1], &[ONE]),
    ];
    match has_fingerprints {
        #[cfg(feature = "token_fingerprints")]
        true => tensors.extend(FingerprintVocabulary::new(&TOKENS).expect("8 tokens have fingerprints").tensors),
        _ => tensors.extend(Tensor::texts("vocab", TOKENS)),
    }
    tensors.extend(Tensor::texts("golden", GOLDEN));
    tensors
}

/// The tensors of the n-gram branch: the table, its scale, and the fingerprints if there are any.
pub(super) fn ngram_tensors(random: &mut Random, spec: NgramSpec) -> Vec<Tensor> {
    let NgramSpec { buckets, rank, bits, .. } = spec;
    let table = if bits == 4 {
        // The lower 4 bits of a weight; a byte holds two.
        let mut weight = || random.between(-7, 7) as u8 & 0xf;
        let pairs: Vec<u8> = (0..buckets * rank / 2).map(|_| weight() | weight() << 4).collect();
        Tensor::new("ngrams.weight", Dtype::U8, &[buckets, rank / 2], &pairs)
    } else {
        Tensor::new("ngrams.weight", Dtype::I8, &[buckets, rank], &random.weights(buckets * rank))
    };
    let mut tensors = vec![table, Tensor::new("ngrams.scale", Dtype::F32, &[1], &[ONE])];
    if !spec.counted.is_empty() {
        tensors.push(Tensor::new("ngrams.fingerprint", Dtype::U8, &[buckets], &fingerprints(random, spec)));
    }
    tensors
}

/// Returns the fingerprint of each bucket: that of the last n-gram of the texts `counted` in this bucket, a random one
/// if there is none.
fn fingerprints(random: &mut Random, NgramSpec { ngrams, buckets, counted, .. }: NgramSpec) -> Vec<u8> {
    let mut fingerprints: Vec<u8> = (0..buckets).map(|_| random.number() as u8).collect();
    // Any tokenizer whose words can be counted.
    let tokenizer = if ngrams.words == 0 { Tokenizer::CHARS } else { Tokenizer::WORDS };
    let mut hasher = NgramHasher::new(ngrams, tokenizer);
    let mut splitter = Splitter::new(tokenizer, &mut []);
    // A fingerprint is the upper 8 bits of the hash.
    let mut set_fingerprint = |hash: u32| fingerprints[hash as usize % buckets] = (hash >> 24) as u8;
    for text in counted {
        splitter.feed(text.as_bytes(), &mut |piece| hasher.feed(piece, &mut set_fingerprint));
        splitter.finish(&mut |piece| hasher.feed(piece, &mut set_fingerprint));
        hasher.finish(&mut set_fingerprint);
        hasher.reset();
    }
    fingerprints
}

/// The tensors of the input of a model that reads values, with golden sequences of 2, 0 and 3 steps.
pub(super) fn value_tensors(random: &mut Random, channels: usize) -> Vec<Tensor> {
    let names: Vec<String> = (0..channels).map(|i| format!("channel{i}")).collect();
    let values: Vec<i32> = (0..5 * channels).map(|_| random.between(-300_000, 300_000) as i32).collect();
    let mut tensors = scaling(random, "input", channels);
    tensors.extend(Tensor::texts("channels", names.iter().map(String::as_str)));
    tensors.push(Tensor::new("input.scale", Dtype::F32, &[1], &[ONE]));
    tensors.push(Tensor::new("golden.offsets", Dtype::U32, &[4], &[0u32, 2, 2, 5]));
    tensors.push(Tensor::new("golden.values", Dtype::I32, &[5, channels], &values));
    tensors
}

/// The tensors of a forecast: predicted values of random channels, some relative to the last value of the channel.
pub(super) fn forecast_tensors(random: &mut Random, channels: usize, outputs: usize) -> Vec<Tensor> {
    let mut numbers = |name: &str, high: i64| {
        let numbers: Vec<i32> = (0..outputs).map(|_| random.between(0, high) as i32).collect();
        Tensor::new(name, Dtype::I32, &[outputs], &numbers)
    };
    let mut tensors = vec![numbers("output.channel", channels as i64 - 1), numbers("output.last", 1)];
    tensors.push(Tensor::new("forecast.window", Dtype::I32, &[1], &[3i32]));
    tensors.extend(scaling(random, "output", outputs));
    tensors
}

/// The tensors of a scaling of integers up to about ±2^18 to the range of Q15. `prefix`: the beginning of their names,
/// `input` or `output`. All channels have the same point, as predictions relative to the last value need.
fn scaling(random: &mut Random, prefix: &str, channels: usize) -> Vec<Tensor> {
    let mut numbers = |name: &str, low: i64, high: i64| {
        let numbers: Vec<i32> = (0..channels).map(|_| random.between(low, high) as i32).collect();
        Tensor::new(&format!("{prefix}.{name}"), Dtype::I32, &[channels], &numbers)
    };
    vec![
        numbers("offset", -50_000, 50_000),
        numbers("multiplier", 1 << 20, 1 << 24),
        numbers("shift", 25, 27),
        numbers("point", 4, 4),
    ]
}

/// The tensors of a linear layer of the head. `name`: `hidden` or `fc`; `largest`: the largest multiplier.
pub(super) fn linear(random: &mut Random, name: &str, outputs: usize, width: usize, largest: i64) -> Vec<Tensor> {
    vec![
        Tensor::new(&format!("{name}.weight"), Dtype::I8, &[outputs, width], &random.weights(outputs * width)),
        Tensor::new(&format!("{name}.bias"), Dtype::I32, &[outputs], &random.biases(outputs)),
        Tensor::new(&format!("{name}.multiplier"), Dtype::I16, &[outputs], &random.multipliers(outputs, largest)),
    ]
}

/// The golden texts of every random model that reads text.
pub(super) const GOLDEN: [&str; 3] = ["Free prize, call now!!", "Grüße, caller", "nothing known here"];

//! Tests of models with an n-gram branch.

use super::kinds::{check_self_test_and_cost, every_changed_byte_is_an_error_or_a_model_that_runs};
use super::*;
use crate::fixed::requantize;
use crate::testing::{NgramSpec, Spec};
use crate::text::{NgramHasher, Splitter};
use std::format;
use tern_format::Ngrams;

/// Words and pairs in a table of 64 buckets without a recurrent branch.
fn alone() -> Spec {
    let ngrams = Ngrams { words: 2, min_chars: 2, max_chars: 3 };
    let ngrams = NgramSpec { ngrams, buckets: 64, rank: 4, bits: 8, counted: &[], shift: 2, pooled_shift: 0 };
    let sizes = Sizes { embedding_dim: 0, hidden_size: 0, classes: 3 };
    Spec { layers: 0, ngrams: Some(ngrams), ..sizes.into() }
}

#[test]
fn random_models_load_and_pass_their_own_test() {
    let (mut alone, mut beside) = (0, 0);
    for seed in 0..120 {
        let spec = Spec::random_ngrams(seed);
        let file = spec.file(seed);
        let model = Model::from_bytes(&file).unwrap();
        check_self_test_and_cost(&model, &file);
        let config = model.config();
        let expected = spec.ngrams.map(|spec| (spec.ngrams, spec.rank));
        assert_eq!(config.ngrams.map(|ngrams| (ngrams, config.ngram_rank)), expected);
        assert_eq!((config.layers, config.head_width()), (spec.layers, spec.head_width()));
        assert!(model.needed_features().any(|feature| feature == "ngrams"));
        *if config.layers == 0 { &mut alone } else { &mut beside } += 1;
    }
    assert!(alone > 20 && beside > 40, "{alone} without a recurrent branch, {beside} with one");
}

#[test]
fn logits_are_those_of_the_definition() {
    let tensor = |tensors: &[Tensor], name: &str| tensors.iter().find(|t| t.name == name).unwrap().data.clone();
    fn numbers<const BYTES: usize, N>(tensors: &[Tensor], name: &str, from: fn([u8; BYTES]) -> N) -> Vec<N> {
        let data = &tensors.iter().find(|t| t.name == name).unwrap().data;
        data.as_chunks().0.iter().map(|&bytes| from(bytes)).collect()
    }
    let (mut counted, mut left_out) = (0, 0);
    for seed in 0..20 {
        let spec = NgramSpec {
            counted: if seed % 2 == 1 { &["Free prize, call now!!", "Grüße, caller"] } else { &[] },
            ..alone().ngrams.unwrap()
        };
        let spec = Spec { ngrams: Some(spec), ..alone() };
        let NgramSpec { ngrams, buckets, rank, shift, counted: of, .. } = spec.ngrams.unwrap();
        let file = spec.file(seed);
        let model = Model::from_bytes(&file).unwrap();
        let tensors = spec.tensors(seed);
        let table = tensor(&tensors, "ngrams.weight");
        for text in TEXTS.map(str::as_bytes).into_iter().chain([b"ab ab ab ab c d e f g".as_slice()]) {
            let mut hashes = vec![];
            let mut hasher = NgramHasher::new(ngrams, Tokenizer::WORDS);
            let mut splitter = Splitter::new(Tokenizer::WORDS, &mut []);
            let mut sink = |piece| hasher.feed(piece, &mut |hash| hashes.push(hash));
            splitter.feed(text, &mut sink);
            splitter.finish(&mut sink);
            if !of.is_empty() {
                let before = hashes.len();
                let fingerprints = tensor(&tensors, "ngrams.fingerprint");
                hashes.retain(|&hash: &u32| u32::from(fingerprints[hash as usize % buckets]) == hash >> 24);
                (counted, left_out) = (counted + hashes.len(), left_out + before - hashes.len());
            }
            let mut sums = vec![0i64; rank];
            for &hash in &hashes {
                for (sum, &weight) in sums.iter_mut().zip(&table[hash as usize % buckets * rank..]) {
                    *sum += i64::from(weight as i8);
                }
            }
            // docs/arithmetic.md, "N-gram branch".
            let count = hashes.len() as u64;
            let half_bits = (0..15).find(|bits| (1 << 28..1 << 30).contains(&(count << (2 * bits)))).unwrap_or(0);
            let reciprocal = (1i64 << 31).checked_div((count << (2 * half_bits)).isqrt() as i64).unwrap_or(0);
            let scaled = sums.iter().map(|sum| ((sum * reciprocal) >> (19 - half_bits + u64::from(shift))) as i32);
            let scaled: Vec<i32> = scaled.map(|v| v.clamp(-32_768, 32_767)).collect();
            let weights = tensor(&tensors, "fc.weight");
            let biases: Vec<i32> = numbers(&tensors, "fc.bias", i32::from_le_bytes);
            let multipliers: Vec<i16> = numbers(&tensors, "fc.multiplier", i16::from_le_bytes);
            let logits = weights.chunks(rank).zip(biases).zip(multipliers).map(|((row, bias), multiplier)| {
                let sum: i32 = row.iter().zip(&scaled).map(|(&weight, v)| i32::from(weight as i8) * v).sum();
                requantize(sum + bias, multiplier)
            });
            assert_eq!(run(&model, text), logits.collect::<Vec<_>>(), "{:?}", core::str::from_utf8(text));
        }
    }
    assert!(counted > 50 && left_out > 50, "{counted} n-grams counted, {left_out} left out");
}

#[test]
fn the_result_does_not_depend_on_how_the_text_is_cut() {
    for seed in 0..40 {
        let file = Spec::random_ngrams(seed).file(seed);
        let model = Model::from_bytes(&file).unwrap();
        let mut scratch = vec![-1; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        for text in TEXTS.map(str::as_bytes) {
            let whole: Vec<i32> = session.classify(text).iter().collect();
            session.reset();
            for byte in text {
                session.feed(&[*byte]);
                // Logits may be read at any time.
                session.logits();
            }
            session.finish();
            assert_eq!(session.logits().iter().collect::<Vec<_>>(), whole);
        }
        assert_eq!(session.unknown() > 0, model.config().layers > 0);
    }
}

#[test]
fn every_tokenizer_can_be_counted() {
    for &tokenizer in Tokenizer::ALL {
        let words = if tokenizer.is_one_word() { 0 } else { 2 };
        let spec = NgramSpec { ngrams: Ngrams { words, min_chars: 1, max_chars: 3 }, ..alone().ngrams.unwrap() };
        let spec = Spec { ngrams: Some(spec), ..alone() };
        let metadata: Vec<_> = crate::write::Metadata { tokenizer, ..spec.fields() }.entries();
        let file = Aligned::new(&to_bytes(&metadata, spec.tensors(5)));
        let model = Model::from_bytes(&file).unwrap();
        assert_ne!(run(&model, b"Free prize"), run(&model, b"prize free"), "{}", tokenizer.name());
    }
}

#[test]
fn every_changed_byte_is_an_error_or_a_model() {
    for (seed, bits) in [(1, 8), (2, 4)] {
        let ngrams = NgramSpec {
            bits,
            counted: if bits == 4 { &["Free prize, call now!!", "Grüße, caller"] } else { &[] },
            ..alone().ngrams.unwrap()
        };
        every_changed_byte_is_an_error_or_a_model_that_runs(&Spec { ngrams: Some(ngrams), ..alone() }, seed);
    }
}

#[test]
fn faults_are_named() {
    let (metadata, tensors) = (alone().metadata(), alone().tensors(1));
    let with = |key: &str, value: &str| {
        let mut metadata = metadata.clone();
        metadata.iter_mut().filter(|(known, _)| known == key).for_each(|(_, old)| *old = value.into());
        format!("{}", error_of(&metadata, tensors.clone()))
    };
    let words = "tern.ngrams.words";
    assert!(
        with("tern.task", "language-model").contains("a classifier of text"),
        "{}",
        with("tern.task", "language-model")
    );
    assert!(with("tern.tokenizer", "chars").contains("tokenizer of words"));
    assert!(with("tern.ngrams.min_chars", "4").contains("1 to 6 characters"));
    assert!(with(words, "3").contains("`tern.ngrams.words` is `3`, expected"));
    assert!(with(words, "3").contains("0, 1 or 2 words"));
    assert!(with(words, "9").contains("0, 1, 2, 3, 4, 5, 6, 7, 8"));
    for left_out in ["tern.ngrams.min_chars", "tern.ngrams.max_chars", "tern.shift.ngrams"] {
        let metadata: Vec<_> = metadata.iter().filter(|(key, _)| key != left_out).cloned().collect();
        assert_eq!(error_of(&metadata, tensors.clone()), LoadError::MissingKey(left_out.into()));
    }
    // Nothing is pooled without a recurrent branch.
    let pooled: Vec<_> = metadata.iter().cloned().chain([("tern.shift.pooled".into(), "1".into())]).collect();
    assert_eq!(error_of(&pooled, tensors.clone()), LoadError::UnknownKey("tern.shift.pooled".into()));
    let changed = |change: fn(&mut Tensor)| {
        let mut tensors = tensors.clone();
        change(tensor(&mut tensors, "ngrams.weight"));
        error_of(&metadata, tensors)
    };
    let name: Name = "ngrams.weight".into();
    let shape = |found, expected| LoadError::Shape { tensor: name, found, expected };
    assert_eq!(changed(|table| (table.shape, table.data) = (vec![48, 4], vec![0; 192])), shape([48, 4, 0], [64, 4, 0]));
    assert_eq!(changed(|table| (table.shape, table.data) = (vec![64, 3], vec![0; 192])), shape([64, 3, 0], [64, 4, 0]));
    // A power of 2 that is too small or too large.
    assert_eq!(changed(|table| (table.shape, table.data) = (vec![8, 4], vec![0; 32])), shape([8, 4, 0], [16, 4, 0]));
    assert_eq!(
        changed(|table| (table.shape, table.data) = (vec![16, 512], vec![0; 8192])),
        shape([16, 512, 0], [16, 256, 0])
    );
    assert_eq!(changed(|table| table.data[9] = 0x80), LoadError::Range { tensor: name, index: 9 });
    assert_eq!(changed(|table| table.dtype = Dtype::I16), LoadError::Type { tensor: name, expected: "I8" });
    let with_fingerprints = |dtype, length: usize| {
        let fingerprints = Tensor::new("ngrams.fingerprint", dtype, &[length], &vec![7u8; length]);
        error_of(&metadata, [&tensors[..], &[fingerprints]].concat())
    };
    let tensor = "ngrams.fingerprint".into();
    let (found, expected) = ([32, 0, 0], [64, 0, 0]);
    assert_eq!(with_fingerprints(Dtype::U8, 32), LoadError::Shape { tensor, found, expected });
    assert_eq!(with_fingerprints(Dtype::I8, 64), LoadError::Type { tensor, expected: "U8" });
}

//! Models with an n-gram branch, beside a recurrent branch or alone.

use tern_runtime::testing::NgramSpec;
use tern_runtime::text::{Tokenizer, TokenizerKind};
use tern_runtime::write::Metadata;

use super::refusals::{both, set};
use super::*;

/// Returns a random model whose n-gram branch a tokenizer allows.
fn of_tokenizer(seed: u64, tokenizer: Tokenizer) -> Spec {
    let mut spec = Spec::random_ngrams(seed);
    spec.fingerprints &= !matches!(tokenizer.kind, TokenizerKind::Bytes | TokenizerKind::WordPiece);
    let NgramSpec { ngrams, .. } = spec.ngrams.as_mut().unwrap();
    if tokenizer.is_one_word() {
        ngrams.words = 0;
        ngrams.min_chars = ngrams.min_chars.max(1);
        ngrams.max_chars = ngrams.max_chars.max(3);
    }
    spec
}

#[test]
fn the_reference_runs_ngram_branches() {
    let folder = folder("reference-ngrams");
    let (mut kinds, mut tokenizers) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..66 {
        if seed % 6 == 0 {
            let Some(()) = compare_random(&folder, Spec::random_ngrams(seed), seed, 100) else { return };
        }
        let mut tokenizer = Tokenizer::ALL[usize::try_from(seed).unwrap() % Tokenizer::ALL.len()];
        if tokenizer == Tokenizer::BYTES && Spec::random_ngrams(seed).layers > 0 {
            // A recurrent branch that reads bytes has another embedding.
            tokenizer = Tokenizer::CHARS;
        }
        let spec = of_tokenizer(seed, tokenizer);
        let metadata = Metadata { tokenizer, ..spec.fields() }.entries();
        // The reference takes all steps of a bidirectional model again for the logits after each token.
        let longest_text = if spec.bidirectional { 40 } else { 2_000 };
        let texts: Vec<_> = texts(seed).into_iter().filter(|text| text.len() < longest_text).collect();
        let file = to_bytes(&metadata, spec.tensors(seed));
        let Some(seen) = compare(&folder, &file, &texts) else { return };
        assert!(spec.layers > 0 || seen.iter().all(|text| text["unknown"] == 0), "{spec:?}");
        let NgramSpec { ngrams, bits, .. } = spec.ngrams.unwrap();
        kinds.insert((spec.layers > 0, bits, ngrams.words));
        tokenizers.insert(tokenizer.name());
    }
    // With and without a recurrent branch, 4 and 8 bits, 0 to 2 words.
    assert_eq!(kinds.len(), 2 * 2 * 3, "{kinds:?}");
    assert_eq!(tokenizers.len(), Tokenizer::ALL.len(), "{tokenizers:?}");
}

/// Returns a model with words, pairs of words and characters, in 64 buckets of 4 columns.
fn small(recurrent: bool) -> Spec {
    let beside = (0..).map(Spec::random_ngrams).find(|spec| spec.layers > 0).unwrap();
    let alone = (0..).map(Spec::random_ngrams).find(|spec| spec.layers == 0).unwrap();
    let mut spec = if recurrent { beside } else { alone };
    let branch = spec.ngrams.as_mut().unwrap();
    (branch.ngrams.words, branch.ngrams.min_chars, branch.ngrams.max_chars) = (2, 2, 3);
    (branch.buckets, branch.rank, branch.bits, branch.shift) = (64, 4, 8, 0);
    Spec { head_hidden: 0, output: Output::Softmax, ..spec }
}

#[test]
fn the_reference_counts_long_texts() {
    let folder = folder("reference-ngrams-long");
    let mut spec = small(false);
    spec.ngrams.as_mut().unwrap().shift = 5;
    let repeated = |count| "prize ".repeat(count).into_bytes();
    let distinct: String = (0..1_200).map(|number| format!("{number} ")).collect();
    let texts: Vec<_> = [1, 40, 1_000, 2_000].map(repeated).into_iter().chain([distinct.into_bytes()]).collect();
    let Some(seen) = compare(&folder, &spec.file(1), &texts) else { return };
    // The same n-grams over and over clamp the scaled sums.
    let logits: Vec<&Value> = seen.iter().map(|text| &text["logits"]).collect();
    assert!(logits[0] != logits[1] && logits[1] != logits[2] && logits[2] == logits[3], "{logits:?}");
}

#[test]
fn both_refuse_a_malformed_ngram_branch() {
    let mut files = Vec::new();
    for recurrent in [true, false] {
        let spec = small(recurrent);
        let (metadata, tensors) = (spec.metadata(), spec.tensors(1));
        let mut add = |metadata: &[(String, String)], tensors: &[Tensor]| {
            files.push(to_bytes(metadata, tensors.to_vec()));
        };
        add(&metadata, &tensors);

        // Each key is left out, and has other values.
        for (at, (key, word)) in metadata.iter().enumerate() {
            let mut others = metadata.clone();
            others.remove(at);
            add(&others, &tensors);
            if key.contains("ngrams") || ["tern.task", "tern.tokenizer", "tern.input"].contains(&key.as_str()) {
                let values = ["", "00", "0", "1", "2", "3", "4", "6", "7", "8", "9", "chars", "bytes", "wordpiece"];
                for value in values.iter().chain(&["forecast", "language-model", "values"]) {
                    let mut others = metadata.clone();
                    others[at].1 = (*value).to_string();
                    if *value != word.as_str() {
                        add(&others, &tensors);
                    }
                }
            }
        }
        for (key, word) in [
            ("vocabulary", "sorted"),
            ("cell", "lstm"),
            ("layers", "1"),
            ("directions", "1"),
            ("merge", "concat"),
            ("pooling", "last"),
            ("packing", "interleaved4"),
            ("shift.lstm_l0", "0"),
            ("shift.hidden", "0"),
            ("input", "values"),
            ("input", "tokens"),
        ] {
            let key = format!("tern.{key}");
            if metadata.iter().all(|(known, _)| *known != key) {
                add(&[&metadata[..], &[(key, word.to_string())]].concat(), &tensors);
            }
        }
        let without: Vec<_> = metadata.iter().filter(|(key, _)| !key.contains("ngrams")).cloned().collect();
        add(&without, &tensors);

        // Each tensor is left out.
        for at in 0..tensors.len() {
            let mut others = tensors.clone();
            others.remove(at);
            add(&metadata, &others);
        }
        let mut with = |change: &dyn Fn(&mut Tensor)| {
            let mut others = tensors.clone();
            change(others.iter_mut().find(|tensor| tensor.name == "ngrams.weight").unwrap());
            files.push(to_bytes(&metadata, others));
        };
        with(&|table| table.data[255] = 0x80);
        with(&|table| table.data[255] = 0x81);
        with(&|table| table.dtype = Dtype::U8);
        with(&|table| (table.dtype, table.shape) = (Dtype::I16, vec![32, 4]));
        for shape in [[48, 4], [8, 4], [16, 4], [32, 8], [64, 3], [64, 2], [1, 4]] {
            with(&|table| (table.shape, table.data) = (shape.to_vec(), vec![1; shape[0] * shape[1]]));
        }
        for (dtype, length) in [(Dtype::U8, 64), (Dtype::U8, 32), (Dtype::U8, 65), (Dtype::I8, 64)] {
            let fingerprints = Tensor::new("ngrams.fingerprint", dtype, &[length], &vec![7u8; length]);
            files.push(to_bytes(&metadata, [&tensors[..], &[fingerprints]].concat()));
        }
        let mut with = |change: &dyn Fn(&mut Tensor)| {
            let mut others = tensors.clone();
            change(others.iter_mut().find(|tensor| tensor.name == "ngrams.weight").unwrap());
            files.push(to_bytes(&metadata, others));
        };
        // Two columns of 4 bits in a byte; −8 is not allowed.
        for (weights, columns) in [(0x97, 2), (0x78, 2), (0x81, 2), (0x11, 4), (0x11, 1)] {
            with(&|table| {
                (table.dtype, table.shape, table.data) = (Dtype::U8, vec![64, columns], vec![0x11; 64 * columns]);
                *table.data.last_mut().unwrap() = weights;
            });
        }
        let mut groups = tensors.clone();
        groups.push(Tensor::new("ngrams.group_multiplier", Dtype::U8, &[64, 1], &[1u8; 64]));
        files.push(to_bytes(&metadata, groups));

        // The head has the width of the rank.
        for (buckets, rank) in [(16, 1), (16, 256), (16, 512), (16, 3), (1 << 20, 1), (1 << 21, 1), (8, 2), (24, 2)] {
            let mut other = spec;
            let branch = other.ngrams.as_mut().unwrap();
            (branch.buckets, branch.rank) = (buckets, rank);
            files.push(to_bytes(&metadata, other.tensors(1)));
        }

        // The last bias of the head that cannot overflow, and the next one.
        let width = i64::try_from(spec.head_width()).unwrap();
        for beyond in 0..=1 {
            let mut others = tensors.clone();
            set(&mut others, "fc.weight", |_| 127);
            set(&mut others, "fc.multiplier", |_| 0);
            set(&mut others, "fc.bias", |_| (1 << 31) - 1 - (127 << 15) * width + beyond);
            files.push(to_bytes(&metadata, others));
        }
    }
    let Some(seen) = both(&folder("reference-ngrams-refused"), &files) else { return };
    let accepted = seen.iter().filter(|seen| seen["refused"] == json!([])).count();
    assert!((20..80).contains(&accepted) && files.len() > 200, "{accepted} of {} are accepted", files.len());
    let bound = |index: usize| &seen[index]["refused"];
    assert_eq!([bound(files.len() - 2), bound(files.len() - 1)], [&json!([]), &json!(["1"])]);
}

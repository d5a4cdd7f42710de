//! The runtime against `tests/reference/tern_reference.py`, which was written from `docs/arithmetic.md` and
//! `docs/format.md` alone.

mod ngrams;
mod refusals;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tern_messages::{SEED, generate};
use tern_runtime::testing::{Random, Sizes, Spec, TOKENS, metadata, random_file, random_file_in, tensors};
use tern_runtime::write::{Aligned, Dtype, Tensor, folded, packed, to_bytes};
use tern_runtime::{Answer, Cell, Input, Model, Output, Packing, Ranked, Sampler, Step, Task};
use tern_tests::{argument, folder, root, skip, text_of, trained};

/// Runs the reference on the lines of `input` and returns the printed objects; `None` if Python is missing and the test
/// is to be skipped.
fn reference(folder: &Path, arguments: &[&str], input: &str) -> Option<Vec<Value>> {
    python(folder, &root().join("tests/reference/tern_reference.py"), arguments, input)
}

/// Runs a script, as [`reference`].
pub fn python(folder: &Path, script: &Path, arguments: &[&str], input: &str) -> Option<Vec<Value>> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip("cannot start `python3`");
        return None;
    }
    let file = folder.join("input.txt");
    fs::write(&file, input).unwrap();
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(arguments);
    let (status, stdout, stderr) = text_of(command.stdin(Stdio::from(File::open(&file).unwrap())));
    assert_eq!(status, Some(0), "{stderr}");
    Some(stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Continues an FNV-1a hash, as the reference computes it over all steps of a text.
fn fnv1a(bytes: &[u8], hash: u64) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Returns the results of the runtime for each text, in the form of the reference.
fn runtime<T: AsRef<[u8]>>(file: &[u8], texts: &[T]) -> Vec<Value> {
    let file = Aligned::new(file);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len_for(2_000)];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut answer = |text: &[u8]| {
        session.reset();
        let mut trace = 0xcbf2_9ce4_8422_2325;
        let mut on_step = |step: Step<'_>| {
            trace = fnv1a(&step.id.to_le_bytes(), trace);
            trace = step.logits.iter().fold(trace, |trace, logit| fnv1a(&logit.to_le_bytes(), trace));
        };
        session.feed_with(text, &mut on_step);
        session.finish_with(&mut on_step);
        let logits: Vec<i32> = session.logits().iter().collect();
        json!({ "tokens": session.tokens(), "unknown": session.unknown(), "logits": logits, "trace": format!("{trace:016x}") })
    };
    texts.iter().map(|text| answer(text.as_ref())).collect()
}

/// Returns a text as a line of hexadecimal digits.
pub fn hexadecimal(text: &impl AsRef<[u8]>) -> String {
    text.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
}

/// Compares all logits after every token of every text, and returns the results; `None` if the test is to be skipped.
pub fn compare<T: AsRef<[u8]>>(folder: &Path, file: &[u8], texts: &[T]) -> Option<Vec<Value>> {
    let path = folder.join("model.safetensors");
    fs::write(&path, file).unwrap();
    let mut found = reference(folder, &[argument(&path), "--hex"], &texts.iter().map(hexadecimal).collect::<String>())?;
    let expected = runtime(file, texts);
    assert_eq!(found.len(), expected.len());
    for ((found, expected), text) in found.iter_mut().zip(&expected).zip(texts) {
        found.as_object_mut().unwrap().remove("state");
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(text.as_ref()));
    }
    Some(expected)
}

/// Returns texts of many kinds: known and unknown tokens, other scripts, white space, marks, ill-formed UTF-8, over 240
/// tokens.
fn texts(seed: u64) -> Vec<Vec<u8>> {
    let odd = [
        "",
        " ",
        "\t\r\n",
        "[UNK] [PAD]",
        "Grüße aus МОСКВА, 東京も😀👍🏽!?",
        "İI ΣΑΣ ẞ ǅ ŉ",
        "a\u{1c}b\u{85}c\u{a0}d\u{200b}e",
        "e\u{301}x\u{300}\u{200d}y_z\u{203f}9٣ Ⅷ ⓐⒶ ½²",
        "ﬁ\u{feff}x\u{2028}हिन्दी ไทย\u{3000}👩‍👩‍👧",
        "\u{0}\u{7f}\u{fffd}\u{10ffff}",
    ];
    let ill: [&[u8]; 6] = [
        b"\xff",
        b"a\xc3",
        b"\xe2\x82 b\xf0\x9f\x98",
        b"x\xed\xa0\x80y",
        b"\xc0\xaf\xf4\x90\x80\x80",
        b"\xf0\x80\x80\x41",
    ];
    let mut random = Random(seed);
    let mut between = |low, high| usize::try_from(random.between(low, high)).unwrap();
    let mut texts: Vec<Vec<u8>> =
        odd.iter().map(|text| text.as_bytes().to_vec()).chain(ill.map(<[u8]>::to_vec)).collect();
    for length in [1, 2, 3, 5, 9, 30, 90, 240] {
        let mut text = Vec::new();
        for _ in 0..length {
            match between(0, 9) {
                0 => text.extend([between(0, 255), between(128, 255)].map(|byte| u8::try_from(byte).unwrap())),
                1 => text.extend(
                    char::from_u32(u32::try_from(between(0, 0x2_ffff)).unwrap()).unwrap_or('Я').to_string().bytes(),
                ),
                2 => text.extend(b"strange"),
                3 => text.extend(TOKENS[between(0, 7)].to_uppercase().bytes()),
                _ => text.extend(TOKENS[between(0, 7)].bytes()),
            }
            text.extend([" ", "", "  ", "-"][between(0, 3)].bytes());
        }
        texts.push(text);
    }
    texts
}

#[test]
fn the_reference_gives_the_golden_logits() {
    let golden = root().join("runtime/tests/golden");
    let table = fs::read_to_string(golden.join("lstm.txt")).unwrap();
    let rows: Vec<(&str, &str)> =
        table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('\t').unwrap()).collect();
    let texts: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let file = fs::read(golden.join("lstm.safetensors")).unwrap();
    let Some(seen) = compare(&folder("reference-golden"), &file, &texts) else { return };
    for (seen, row) in seen.iter().zip(rows) {
        assert_eq!(seen["logits"], serde_json::from_str::<Value>(row.1).unwrap(), "{:?}", row.0);
    }
}

#[test]
fn the_reference_runs_a_trained_model() {
    let all = generate(SEED).unwrap();
    let texts: Vec<String> =
        all.held_out.into_iter().take(200).chain(all.train.into_iter().take(50)).map(|message| message.text).collect();
    let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).chain(texts_of_any_model()).collect();
    let file = fs::read(&trained().file).unwrap();
    let Some(seen) = compare(&folder("reference-trained"), &file, &texts) else { return };
    assert!(seen.len() == 270 && seen.iter().any(|text| text["unknown"] != 0), "{seen:?}");
}

/// Returns texts that suit a model with any vocabulary.
fn texts_of_any_model() -> Vec<Vec<u8>> {
    texts(0).into_iter().take(20).collect()
}

#[test]
fn the_reference_runs_random_models() {
    let folder = folder("reference-random");
    let sizes = [(1, 1, 1), (2, 3, 2), (5, 4, 3), (16, 8, 5), (7, 17, 4)];
    for (seed, (embedding_dim, hidden_size, classes)) in (1..).zip(sizes) {
        for shift in ["0", "1", "3"] {
            let file = random_file(seed, Sizes { embedding_dim, hidden_size, classes }, shift);
            if compare(&folder, &file, &texts(seed)).is_none() {
                return;
            }
        }
    }
}

/// Compares a random model on its golden examples and, if there are logits after every token, on texts shorter than
/// `longest_text` bytes for every fourth seed; `None` if the test is to be skipped.
fn compare_random(folder: &Path, spec: Spec, seed: u64, longest_text: usize) -> Option<()> {
    let file = spec.file(seed);
    let path = folder.join("model.safetensors");
    fs::write(&path, &*file).unwrap();
    let seen = reference(folder, &[argument(&path), "--golden"], "")?;
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).unwrap();
    for (golden, seen) in model.golden().zip(&seen) {
        let answer = session.run_golden(&golden);
        let (logits, answer): (Vec<i32>, Answer) = (answer.iter().collect(), answer.answer());
        let refused = model.refusal().map(|_| answer == Answer::Refused);
        let mut predicted = |index| session.values().and_then(|session| session.predicted(index));
        let forecast: Vec<i32> = (0..).map_while(&mut predicted).collect();
        assert_eq!(logits, golden.logits);
        assert_eq!(seen, &json!({ "logits": logits, "forecast": forecast, "refused": refused }), "{spec:?}");
    }
    assert_eq!(seen.len(), 3);
    if spec.input == Input::Tokens && seed.is_multiple_of(4) {
        let texts: Vec<_> = texts(seed).into_iter().filter(|text| text.len() < longest_text).collect();
        compare(folder, &file, &texts)?;
    }
    Some(())
}

#[test]
fn the_reference_runs_every_kind_of_model() {
    let folder = folder("reference-kinds");
    let (mut kinds, mut refusing, mut with_fingerprints) = (BTreeSet::new(), 0, 0);
    for seed in 0..160 {
        let spec = Spec::random(seed);
        refusing += usize::from(spec.refusal.is_some());
        with_fingerprints += usize::from(spec.fingerprints);
        let Some(()) = compare_random(&folder, spec, seed, 300) else { return };
        let (cell, merge, pooling) = (spec.cell.name(), spec.merge.name(), spec.pooling.name());
        kinds.insert(format!("{cell} {} {merge} {pooling}", spec.bidirectional));
        kinds.insert(format!("{} {} {}", spec.task.name(), spec.output.name(), spec.head_hidden > 0));
    }
    assert!(kinds.len() > 60 && refusing > 20, "{kinds:?}, {refusing} that refuse");
    assert!(with_fingerprints > 5, "{with_fingerprints} with fingerprints of tokens");
}

#[test]
fn the_reference_runs_weights_of_every_width() {
    let folder = folder("reference-widths");
    let mut widths = BTreeSet::new();
    for seed in 0..40 {
        let spec = Spec::random_widths(seed);
        let Some(()) = compare_random(&folder, spec, seed, 100) else { return };
        widths.extend(spec.bits.into_iter().enumerate().map(|(place, bits)| (spec.cell.name(), place, bits)));
    }
    // Four cells, four tensors, three widths.
    assert!(widths.len() > 40, "{widths:?}");
}

#[test]
fn the_reference_runs_folded_tokens() {
    let folder = folder("reference-folded");
    let (mut random, mut changed) = (Random(3), 0);
    for seed in 0..12 {
        let mut spec =
            Spec { input: Input::Tokens, task: Task::Classify, output: Output::Softmax, ..Spec::random(seed) };
        let mut packing = Packing::plain(spec.cell);
        if seed % 2 == 0 {
            spec.sizes = Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 };
            packing = Packing::Paired16;
        }
        let ids: Vec<u32> = (0..10).filter(|&id| id == 3 || random.between(0, 1) == 1).collect();
        let (metadata, tensors) = packed(packing, &spec.metadata(), spec.tensors(seed));
        let plain = Aligned::new(&to_bytes(&metadata, tensors.clone()));
        let mut folded = folded(&Model::from_bytes(&plain).unwrap(), &ids);
        let file = |folded: &[Tensor]| to_bytes(&metadata, [&tensors[..], folded].concat());
        let exact = file(&folded);
        // Sums that do not match the weights; the fourth value of a GRU is not a sum.
        for sums in folded.iter_mut().filter(|tensor| tensor.name != "folded.ids") {
            for (index, sum) in sums.data.chunks_exact_mut(4).enumerate() {
                if spec.cell == Cell::Gru && index % 4 == 3 {
                    continue;
                }
                let half = i32::from_le_bytes(sum.try_into().unwrap()) / 2;
                sum.copy_from_slice(&if index % 5 == 0 { -half } else { half }.to_le_bytes());
            }
        }
        let texts: Vec<Vec<u8>> = texts(seed).into_iter().filter(|text| text.len() < 100).collect();
        let Some(seen) = compare(&folder, &exact, &texts) else { return };
        assert_eq!(seen, runtime(&plain, &texts), "{spec:?}");
        changed += usize::from(compare(&folder, &file(&folded), &texts).unwrap() != seen);
    }
    assert!(changed > 8, "other sums change only {changed} of 12 models");
}

#[test]
fn the_reference_draws_the_same_tokens() {
    let folder = folder("reference-sample");
    for (seed, (cell, temperature, k)) in (0..).zip([
        (Cell::Lstm, Sampler::ONE, 8),
        (Cell::Gru, Sampler::ONE * 7 / 10, 3),
        (Cell::Rnn, 0, 4),
        (Cell::RnnRelu, 12 * Sampler::ONE, 1_000),
        (Cell::Lstm, u32::MAX, 5),
        (Cell::Lstm, 1, 8),
        (Cell::Gru, 2 * Sampler::ONE, 0),
        (Cell::Lstm, 0, 0),
    ]) {
        let sizes = Sizes { embedding_dim: 4, hidden_size: 6, classes: 1 };
        let file = Spec { cell, task: Task::LanguageModel, layers: 1 + seed as usize % 2, ..sizes.into() }.file(seed);
        let path = folder.join("model.safetensors");
        fs::write(&path, &*file).unwrap();
        let numbers = [seed * 1_000_003, temperature.into(), k, 60].map(|number| number.to_string());
        let arguments = [&[argument(&path), "--sample"][..], &numbers.each_ref().map(String::as_str)].concat();
        let texts = ["", "free prize now", "strange"];
        let Some(seen) = reference(&folder, &arguments, &texts.iter().map(hexadecimal).collect::<String>()) else {
            return;
        };
        let model = Model::from_bytes(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        for (text, seen) in texts.iter().zip(seen) {
            session.classify(text.as_bytes());
            let mut sampler = Sampler::new(seed * 1_000_003, temperature);
            let mut candidates = vec![Ranked::default(); usize::try_from(k).unwrap()];
            let mut draw = || {
                let id = match k {
                    0 => sampler.sample_all(&session.logits()).unwrap(),
                    _ => sampler.sample(&session.logits(), &mut candidates).unwrap(),
                };
                session.feed_id(id);
                id
            };
            assert_eq!(seen, json!((0..60).map(|_| draw()).collect::<Vec<u32>>()), "{cell:?}, {temperature}, {k}");
        }
    }
}

#[test]
fn the_reference_runs_models_in_either_packing() {
    let folder = folder("reference-packing");
    for (seed, (embedding_dim, hidden_size, shift)) in (1..).zip([(4, 4, "0"), (16, 8, "1"), (8, 20, "3")]) {
        let sizes = Sizes { embedding_dim, hidden_size, classes: 3 };
        for &cell in Cell::ALL {
            let spec = Spec { cell, ..sizes.into() };
            let files = Packing::for_8_bits(cell).map(|packing| random_file_in(packing, seed, spec, shift));
            let seen = files.map(|file| compare(&folder, &file, &texts(seed)));
            assert_eq!(seen[0], seen[1], "{cell}");
        }
    }
}

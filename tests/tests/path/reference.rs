//! The runtime against `tests/reference/tern_reference.py`, written from `docs/arithmetic.md` and `docs/format.md` alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tern_runtime::testing::{Random, Sizes, Spec, TOKENS, metadata, random_file, random_file_in, tensors};
use tern_runtime::write::{Aligned, Dtype, Tensor, folded, packed, to_bytes};
use tern_runtime::{CellKind, Input, Model, Output, Packing, Ranked, Sampler, Step, Task};
use tern_tests::{argument, folder, root, text_of, trained};
use xtask::messages;

/// What the reference prints, a line each, for the lines of `input`; nothing where there is no Python.
fn reference(folder: &Path, arguments: &[&str], input: &str) -> Option<Vec<Value>> {
    python(folder, &root().join("tests/reference/tern_reference.py"), arguments, input)
}

/// What a script prints, as [`reference`].
pub fn python(folder: &Path, script: &Path, arguments: &[&str], input: &str) -> Option<Vec<Value>> {
    match Command::new("python3").arg("--version").output() {
        Ok(output) if output.status.success() => {}
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("python3: {error}"),
        other => {
            eprintln!("skipped: this test needs Python 3 as `python3`; {other:?}");
            return None;
        }
    }
    let file = folder.join("input.txt");
    fs::write(&file, input).unwrap();
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(arguments);
    let (status, stdout, stderr) = text_of(command.stdin(Stdio::from(File::open(&file).unwrap())));
    assert_eq!(status, Some(0), "{stderr}");
    Some(stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn fnv1a(bytes: &[u8], hash: u64) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What the runtime says of each text, in the reference's form.
fn runtime<T: AsRef<[u8]>>(file: &[u8], texts: &[T]) -> Vec<Value> {
    let file = Aligned::new(file);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len_for(2_000)];
    let mut session = model.session(&mut scratch).unwrap();
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

/// A line of hexadecimal digits.
pub fn hexadecimal(text: &impl AsRef<[u8]>) -> String {
    text.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
}

/// Compares all logits after every token of every text. Gives what both say, or nothing where there is no Python.
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

/// Texts of many kinds: known and unknown tokens, other scripts, white space, marks, ill-formed UTF-8, up to 240 tokens and more.
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
    let all = messages::generate(messages::SEED).unwrap();
    let texts: Vec<String> =
        all.held_out.into_iter().take(200).chain(all.train.into_iter().take(50)).map(|message| message.text).collect();
    let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).chain(texts_of_any_model()).collect();
    let file = fs::read(&trained().file).unwrap();
    let Some(seen) = compare(&folder("reference-trained"), &file, &texts) else { return };
    assert!(seen.len() == 270 && seen.iter().any(|text| text["unknown"] != 0), "{seen:?}");
}

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

#[test]
fn the_reference_runs_every_kind_of_model() {
    let folder = folder("reference-kinds");
    let mut kinds = BTreeSet::new();
    for seed in 0..160 {
        let spec = Spec::random(seed);
        let file = spec.file(seed);
        let path = folder.join("model.safetensors");
        fs::write(&path, &*file).unwrap();
        // Golden texts and sequences first: every task and input has them.
        let Some(seen) = reference(&folder, &[argument(&path), "--golden"], "") else { return };
        let model = Model::from_bytes(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut session = model.session(&mut scratch).unwrap();
        for (golden, seen) in model.golden().zip(&seen) {
            let logits: Vec<i32> = session.run_golden(&golden).iter().collect();
            let forecast: Vec<i32> = (0..).map_while(|index| session.forecast(index)).collect();
            assert_eq!(logits, golden.logits);
            assert_eq!(seen, &json!({ "logits": logits, "forecast": forecast }), "{spec:?}");
        }
        assert_eq!(seen.len(), 3);
        // Then longer texts, where there is an answer after every token.
        if spec.input == Input::Tokens && seed % 4 == 0 {
            compare(&folder, &file, &texts(seed).into_iter().filter(|text| text.len() < 300).collect::<Vec<_>>());
        }
        kinds.insert(format!(
            "{} {} {} {}",
            spec.cell.word(),
            spec.bidirectional,
            spec.merge.word(),
            spec.pooling.word()
        ));
        kinds.insert(format!("{} {} {}", spec.task.word(), spec.output.word(), spec.head_hidden > 0));
    }
    assert!(kinds.len() > 60, "{kinds:?}");
}

#[test]
fn the_reference_runs_weights_of_every_width() {
    let folder = folder("reference-widths");
    let mut widths = BTreeSet::new();
    for seed in 0..40 {
        let spec = Spec::random_widths(seed);
        let file = spec.file(seed);
        let path = folder.join("model.safetensors");
        fs::write(&path, &*file).unwrap();
        let Some(seen) = reference(&folder, &[argument(&path), "--golden"], "") else { return };
        let model = Model::from_bytes(&file).unwrap();
        for (golden, seen) in model.golden().zip(&seen) {
            assert_eq!(seen["logits"], json!(golden.logits), "{spec:?}");
        }
        assert_eq!(seen.len(), 3);
        if spec.input == Input::Tokens && seed % 4 == 0 {
            compare(&folder, &file, &texts(seed).into_iter().filter(|text| text.len() < 100).collect::<Vec<_>>());
        }
        widths.extend(spec.bits.into_iter().enumerate().map(|(place, bits)| (spec.cell.word(), place, bits)));
    }
    // Four cells, four places, three widths.
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
        if spec.cell == CellKind::Lstm && seed % 2 == 0 {
            spec.sizes = Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 };
            packing = Packing::Paired16;
        }
        let ids: Vec<u32> = (0..10).filter(|&id| id == 3 || random.between(0, 1) == 1).collect();
        let (metadata, tensors) = packed(packing, &spec.metadata(), spec.tensors(seed));
        let plain = Aligned::new(&to_bytes(&metadata, tensors.clone()));
        let mut folded = folded(&Model::from_bytes(&plain).unwrap(), &ids);
        let file = |folded: &[Tensor]| to_bytes(&metadata, [&tensors[..], folded].concat());
        let exact = file(&folded);
        // Sums that the weights would not give; the fourth of GRU is not one.
        for sums in folded.iter_mut().filter(|tensor| tensor.name != "folded.ids") {
            for (at, sum) in
                sums.data.chunks_exact_mut(4).enumerate().filter(|(at, _)| spec.cell != CellKind::Gru || at % 4 != 3)
            {
                let half = i32::from_le_bytes(sum.try_into().unwrap()) / 2;
                sum.copy_from_slice(&if at % 5 == 0 { -half } else { half }.to_le_bytes());
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
        (CellKind::Lstm, Sampler::ONE, 8),
        (CellKind::Gru, Sampler::ONE * 7 / 10, 3),
        (CellKind::Rnn, 0, 4),
        (CellKind::RnnRelu, 12 * Sampler::ONE, 1_000),
        (CellKind::Lstm, u32::MAX, 5),
        (CellKind::Lstm, 1, 8),
        (CellKind::Gru, 2 * Sampler::ONE, 0),
        (CellKind::Lstm, 0, 0),
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
        let mut session = model.session(&mut scratch).unwrap();
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
        let files = Packing::ALL.map(|packing| random_file_in(packing, seed, sizes, shift));
        let seen = files.map(|file| compare(&folder, &file, &texts(seed)));
        assert_eq!(seen[0], seen[1]);
    }
}

#[test]
fn a_record_out_of_form_is_refused_by_both() {
    // A record: 4 words of weights, 2 and 2 of multipliers, 3 and 3 of the sums' start, 4 of weights.
    let sizes = Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 };
    let (metadata, good) = packed(Packing::Paired16, &metadata("0"), tensors(1, sizes));
    let units = good.iter().position(|tensor| tensor.name == "lstm.units_l0").unwrap();
    let mut files = vec![to_bytes(&metadata, good.clone())];
    for word in 0..18 {
        for bit in 0..32 {
            let mut tensors = good.clone();
            tensors[units].data[3 * 18 * 4 + 4 * word + bit / 8] ^= 1 << (bit % 8);
            files.push(to_bytes(&metadata, tensors));
        }
    }
    for (embedding_dim, hidden_size) in [(4, 6), (6, 4)] {
        let tensors = tensors(1, Sizes { embedding_dim, hidden_size, classes: 2 });
        let (metadata, tensors) = packed(Packing::Paired16, &metadata, tensors);
        files.push(to_bytes(&metadata, tensors));
    }
    let Some(seen) = both(&folder("reference-record"), &files) else { return };
    let refused = seen.iter().filter(|seen| seen["refused"] != json!([])).count();
    // The signs of 8 multipliers, what the sums begin with but for changes that keep to 256 · a + b, and some weights.
    assert!((60..200).contains(&refused) && seen[0]["refused"] == json!([]), "{refused} of {} are refused", seen.len());
}

/// The elements of `tensor` become what `value` gives for each index.
fn set(tensors: &mut [Tensor], name: &str, mut value: impl FnMut(usize) -> i64) {
    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
    let size = tensor.dtype.size();
    for (index, element) in tensor.data.chunks_mut(size).enumerate() {
        element.copy_from_slice(&value(index).to_le_bytes()[..size]);
    }
}

/// A model with values from the whole range of their types, as far as the layer's and the head's shift let it load.
fn wild(seed: u64, sizes: Sizes) -> (Vec<Tensor>, [String; 2]) {
    let mut random = Random(seed);
    let shifts = [random.between(0, 4), random.between(0, 4)];
    let mut tensors = tensors(seed, sizes);
    let names: Vec<(String, Dtype)> = tensors.iter().map(|tensor| (tensor.name.clone(), tensor.dtype)).collect();
    for (name, dtype) in names {
        let (low, high) = match (dtype, name.as_str()) {
            (Dtype::I8, _) => (-127, 127),
            (Dtype::I16, _) => (0, 32_767),
            (_, "lstm.bias_l0") => (-(1 << (30 - shifts[0])), 1 << (30 - shifts[0])),
            (_, "fc.bias") => (-(1 << (30 - shifts[1])), 1 << (30 - shifts[1])),
            _ => continue,
        };
        set(&mut tensors, &name, |_| match random.between(0, 9) {
            0 => low,
            1 => high,
            2..=4 => random.between(low / 64, high / 64),
            _ => random.between(low, high),
        });
    }
    (tensors, shifts.map(|shift| shift.to_string()))
}

fn file(tensors: &[Tensor], shifts: &[String; 2]) -> Vec<u8> {
    let copy =
        |t: &Tensor| Tensor { name: t.name.clone(), dtype: t.dtype, shape: t.shape.clone(), data: t.data.clone() };
    let mut metadata = metadata(&shifts[0]);
    metadata.iter_mut().filter(|(key, _)| key == "tern.shift.fc").for_each(|(_, word)| word.clone_from(&shifts[1]));
    to_bytes(&metadata, tensors.iter().map(copy).collect())
}

#[test]
fn the_reference_runs_models_at_the_ends_of_every_range() {
    let folder = folder("reference-wild");
    let mut run = 0;
    for seed in 0..12 {
        let size = |n| usize::try_from(1 + (seed * 7) % n).unwrap();
        let sizes = Sizes { embedding_dim: size(5), hidden_size: size(9), classes: size(4) };
        let (tensors, shifts) = wild(seed, sizes);
        let file = file(&tensors, &shifts);
        if Model::from_bytes(&Aligned::new(&file)).is_err() {
            continue;
        }
        if compare(&folder, &file, &texts(seed)).is_none() {
            return;
        }
        run += 1;
    }
    assert_eq!(run, 12, "so many of the models load");
}

#[test]
fn a_cell_state_saturates_as_the_page_says() {
    // One token drives unit 0's cell up and unit 1's down without end; any other token shows what is left of it.
    let mut tensors = tensors(0, Sizes { embedding_dim: 1, hidden_size: 2, classes: 2 });
    set(&mut tensors, "embedding.weight", |id| if id == 2 { 127 } else { -127 });
    set(&mut tensors, "lstm.weight_ih_l0", |at| [127, 127, 127, 1, 127, 127, -127, 1][at]);
    for name in ["lstm.weight_hh_l0", "lstm.bias_l0", "fc.bias"] {
        set(&mut tensors, name, |_| 0);
    }
    set(&mut tensors, "fc.weight", |at| [127, 0, 0, 127][at]);
    for name in ["embedding.multiplier", "lstm.multiplier_ih_l0", "lstm.multiplier_hh_l0", "fc.multiplier"] {
        set(&mut tensors, name, |_| 32_767);
    }
    let texts = [1000, 1001, 2900, 2901].map(|count| format!("{} strange", format!("{} ", TOKENS[0]).repeat(count)));
    let file = file(&tensors, &["3".to_string(), "0".to_string()]);
    let Some(seen) = compare(&folder("reference-saturated"), &file, &texts) else { return };
    let logits: Vec<&Value> = seen.iter().map(|text| &text["logits"]).collect();
    assert!(logits[0] != logits[1] && logits[1] != logits[2] && logits[2] == logits[3], "{logits:?}");
}

fn loads(file: &[u8]) -> bool {
    Model::from_bytes(&Aligned::new(file)).is_ok()
}

/// What the reference says of files, which must be what the runtime says; nothing where there is no Python.
fn both(folder: &Path, files: &[Vec<u8>]) -> Option<Vec<Value>> {
    let mut input = String::new();
    for (index, file) in files.iter().enumerate() {
        let path = folder.join(format!("{index}.safetensors"));
        fs::write(&path, file).unwrap();
        input += &format!("{}\n", argument(&path));
    }
    let seen = reference(folder, &["--check-bounds"], &input)?;
    assert_eq!(seen.len(), files.len());
    for (index, (seen, file)) in seen.iter().zip(files).enumerate() {
        assert_eq!(seen["refused"] == json!([]), loads(file), "file {index}: {seen}");
    }
    Some(seen)
}

#[test]
fn a_file_out_of_form_is_refused_by_both() {
    let sizes = Sizes { embedding_dim: 2, hidden_size: 3, classes: 2 };
    let good = ["0", "0"].map(str::to_string);
    let mut files = Vec::new();
    let mut with = |change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut tensors = tensors(1, sizes);
        change(&mut tensors);
        files.push(file(&tensors, &good));
    };
    for (name, value) in [
        ("embedding.weight", -128),
        ("lstm.weight_ih_l0", -128),
        ("lstm.weight_hh_l0", -128),
        ("fc.weight", -128),
        ("embedding.multiplier", -1),
        ("lstm.multiplier_ih_l0", -1),
        ("lstm.multiplier_hh_l0", -1),
        ("fc.multiplier", -1),
        ("name", 255),
        ("labels.bytes", 255),
        ("golden.bytes", 255),
        ("vocab.bytes", 255),
        ("labels.offsets", 0),
        ("golden.offsets", 0),
        ("vocab.offsets", 0),
    ] {
        // The last element and then all.
        with(&|tensors| {
            let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
            let (size, end) = (tensor.dtype.size(), tensor.data.len());
            tensor.data[end - size..].copy_from_slice(&i64::from(value).to_le_bytes()[..size]);
        });
        with(&|tensors| set(tensors, name, |_| value.into()));
    }
    let tokens = |first: &'static str, last: &'static str| {
        let all = [&[first], &TOKENS[1..7], &[last]].concat();
        move |tensors: &mut Vec<Tensor>| vocabulary(tensors, &all)
    };
    for (first, last) in [("", TOKENS[7]), (TOKENS[1], TOKENS[7]), (TOKENS[0], TOKENS[6]), (TOKENS[0], TOKENS[7])] {
        with(&tokens(first, last));
    }
    for shift in ["8", "9", "00", "-1", ""] {
        files.push(file(&tensors(1, sizes), &["0".to_string(), shift.to_string()]));
    }
    let Some(seen) = both(&folder("reference-form"), &files) else { return };
    assert!(seen.iter().filter(|seen| seen["refused"] == json!([])).count() == 2, "{seen:?}");
}

/// The tensors with other tokens, as many.
fn vocabulary(tensors: &mut Vec<Tensor>, tokens: &[&str]) {
    tensors.retain(|tensor| !tensor.name.starts_with("vocab."));
    tensors.extend(Tensor::texts("vocab", tokens.iter().copied()));
}

#[test]
fn the_reference_finds_tokens_in_lower_case() {
    let mut tensors = tensors(9, Sizes { embedding_dim: 3, hidden_size: 4, classes: 3 });
    vocabulary(&mut tensors, &["!?", "i\u{307}i", "ß", "ǆ", "σασ", "हिन्दी", "ⓐ", "\u{fffd}!"]);
    let texts: [&[u8]; 2] =
        ["İI !? ΣΑΣ ẞ Ǆ,ǅ ⒶⒶ Ⓐ हिन्दी ﬁ".as_bytes(), b"\xff! \xe2\x82!\xc3\xa9 \xf0\x9f!\xef\xbf\xbd!"];
    let Some(seen) = compare(&folder("reference-lower"), &file(&tensors, &["1", "2"].map(str::to_string)), &texts)
    else {
        return;
    };
    let counts = [&seen[0]["tokens"], &seen[0]["unknown"], &seen[1]["tokens"], &seen[1]["unknown"]];
    assert_eq!(counts.map(|count| count.as_u64().unwrap()), [11, 3, 4, 2], "{seen:?}");
}

#[test]
fn a_file_is_refused_where_the_page_says() {
    let folder = folder("reference-bounds");
    let mut files = Vec::new();
    for seed in 0..60 {
        let mut random = Random(seed);
        let (mut tensors, shifts) = wild(seed, Sizes { embedding_dim: 2, hidden_size: 3, classes: 2 });
        let name = ["lstm.bias_l0", "lstm.multiplier_ih_l0", "lstm.multiplier_hh_l0", "fc.bias", "fc.multiplier"]
            [usize::try_from(seed % 5).unwrap()];
        let tensor = tensors.iter().find(|tensor| tensor.name == name).unwrap();
        let at = usize::try_from(random.between(0, 1_000)).unwrap() % (tensor.data.len() / tensor.dtype.size());
        let (most, sign) =
            if name.contains("bias") { ((1 << 31) - 1, 1 - 2 * random.between(0, 1)) } else { (32_767, 1) };
        let original = tensor.data.clone();
        let mut with = |value: i64| {
            let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
            tensor.data.clone_from(&original);
            let size = tensor.dtype.size();
            tensor.data[at * size..][..size].copy_from_slice(&(sign * value).to_le_bytes()[..size]);
            file(&tensors, &shifts)
        };
        // The last value that loads, and the one after it.
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = (low + high + 1) / 2;
            if loads(&with(middle)) { low = middle } else { high = middle - 1 }
        }
        files.extend([low, (low + 1).min(most)].map(with));
    }
    let Some(seen) = both(&folder, &files) else { return };
    for condition in ["1", "2", "3", "4"] {
        assert!(
            seen.iter().any(|seen| seen["refused"] == json!([condition])),
            "{condition} alone is never what refuses"
        );
    }
    assert!(seen.iter().filter(|seen| seen["refused"] == json!([])).count() > 20);
}

#[test]
fn the_text_tables_are_those_of_unicode() {
    let folder = folder("reference-tables");
    let Some(seen) = reference(&folder, &["--check-tables"], "") else { return };
    let unicode = seen[0]["unicode"].as_str().unwrap();
    if unicode.split('.').next().unwrap().parse::<u32>().unwrap() > 16 {
        eprintln!("skipped: the tables are of Unicode 16.0, this Python's database is of {unicode}");
        return;
    }
    assert_eq!([&seen[0]["word"], &seen[0]["lower"], &seen[0]["space"]], [&json!([]); 3], "{seen:?}");
}

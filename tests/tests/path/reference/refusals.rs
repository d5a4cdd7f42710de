//! Files that both the runtime and the reference refuse, and models at the ends of every range.

use super::*;

/// Sets each element of a tensor to `value(index)`.
pub fn set(tensors: &mut [Tensor], name: &str, mut value: impl FnMut(usize) -> i64) {
    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
    let size = tensor.dtype.size();
    for (index, element) in tensor.data.chunks_mut(size).enumerate() {
        element.copy_from_slice(&value(index).to_le_bytes()[..size]);
    }
}

/// Returns the tensors of a model with values from the whole range that still loads, and the shifts of layer and head.
fn full_range(seed: u64, sizes: Sizes) -> (Vec<Tensor>, [String; 2]) {
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

/// Returns a file with these tensors, and these shifts of layer and head.
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
        let (tensors, shifts) = full_range(seed, sizes);
        let file = file(&tensors, &shifts);
        if Model::from_bytes(&Aligned::new(&file)).is_err() {
            continue;
        }
        if compare(&folder, &file, &texts(seed)).is_none() {
            return;
        }
        run += 1;
    }
    assert_eq!(run, 12, "all models load");
}

#[test]
fn a_cell_state_saturates_as_documented() {
    // One token increases the cell state of unit 0 and decreases that of unit 1 until both saturate.
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

/// Returns true if the runtime accepts the file.
fn loads(file: &[u8]) -> bool {
    Model::from_bytes(&Aligned::new(file)).is_ok()
}

/// Checks that reference and runtime refuse the same files; returns the output of the reference, `None` if the test is
/// to be skipped.
pub fn both(folder: &Path, files: &[Vec<u8>]) -> Option<Vec<Value>> {
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
fn both_refuse_a_malformed_file() {
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

/// Replaces the vocabulary by as many other tokens.
fn vocabulary(tensors: &mut Vec<Tensor>, tokens: &[&str]) {
    tensors.retain(|tensor| !tensor.name.starts_with("vocab."));
    tensors.extend(Tensor::texts("vocab", tokens.iter().copied()));
}

#[test]
fn both_refuse_malformed_fingerprints_of_tokens() {
    let spec = Spec { fingerprints: true, ..Sizes { embedding_dim: 3, hidden_size: 2, classes: 2 }.into() };
    let (metadata, good) = (spec.metadata(), spec.tensors(1));
    // The two valid files: the fingerprints in one bucket, and the same with an empty second bucket.
    let with_starts = |starts: &[u32]| {
        let mut tensors = good.clone();
        tensors.retain(|tensor| tensor.name != "vocab.buckets");
        tensors.push(Tensor::new("vocab.buckets", Dtype::U32, &[starts.len()], starts));
        to_bytes(&metadata, tensors)
    };
    let mut files = vec![to_bytes(&metadata, good.clone()), with_starts(&[0, 8, 8])];
    for starts in [&[0u32, 8, 8, 8][..], &[0], &[0, 9], &[1, 8], &[0, 7], &[0, 5, 4, 4, 8], &[0, 9, 8]] {
        files.push(with_starts(starts));
    }
    for name in ["vocab.seed", "vocab.buckets", "vocab.fingerprints"] {
        let at = good.iter().position(|tensor| tensor.name == name).unwrap();
        let mut tensors = good.clone();
        tensors.remove(at);
        files.push(to_bytes(&metadata, tensors));
        let mut tensors = good.clone();
        tensors[at].dtype = if name == "vocab.fingerprints" { Dtype::I16 } else { Dtype::F32 };
        files.push(to_bytes(&metadata, tensors));
    }
    // Two fingerprints are equal, or in descending order.
    for [first, second] in [[1, 1], [2, 1]] {
        let mut tensors = good.clone();
        set(&mut tensors, "vocab.fingerprints", |index| [first, second, 3, 4, 5, 6, 7, 8][index]);
        files.push(to_bytes(&metadata, tensors));
    }
    for [key, value] in [
        ["tern.vocabulary", "sorted"],
        ["tern.vocabulary", "bytes"],
        ["tern.tokenizer", "bytes"],
        ["tern.tokenizer", "wordpiece"],
        ["tern.task", "language-model"],
    ] {
        let mut changed = metadata.clone();
        changed.iter_mut().filter(|(known, _)| known == key).for_each(|(_, old)| *old = value.into());
        files.push(to_bytes(&changed, good.clone()));
    }
    let Some(seen) = both(&folder("reference-fingerprints"), &files) else { return };
    let accepted: Vec<usize> = (0..seen.len()).filter(|&index| seen[index]["refused"] == json!([])).collect();
    assert_eq!(accepted, [0, 1], "{seen:?}");
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
fn a_file_is_refused_exactly_at_the_documented_bounds() {
    let folder = folder("reference-bounds");
    let mut files = Vec::new();
    for seed in 0..60 {
        let mut random = Random(seed);
        let (mut tensors, shifts) = full_range(seed, Sizes { embedding_dim: 2, hidden_size: 3, classes: 2 });
        let name = ["lstm.bias_l0", "lstm.multiplier_ih_l0", "lstm.multiplier_hh_l0", "fc.bias", "fc.multiplier"]
            [usize::try_from(seed % 5).unwrap()];
        let tensor = tensors.iter().find(|tensor| tensor.name == name).unwrap();
        let element = usize::try_from(random.between(0, 1_000)).unwrap() % (tensor.data.len() / tensor.dtype.size());
        let (largest, sign) =
            if name.contains("bias") { ((1 << 31) - 1, 1 - 2 * random.between(0, 1)) } else { (32_767, 1) };
        let original = tensor.data.clone();
        let mut with = |value: i64| {
            let tensor = tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
            tensor.data.clone_from(&original);
            let size = tensor.dtype.size();
            tensor.data[element * size..][..size].copy_from_slice(&(sign * value).to_le_bytes()[..size]);
            file(&tensors, &shifts)
        };
        // The last value that loads, found by bisection, and the one after it.
        let (mut low, mut high) = (0, largest);
        while low < high {
            let middle = (low + high + 1) / 2;
            if loads(&with(middle)) { low = middle } else { high = middle - 1 }
        }
        files.extend([low, (low + 1).min(largest)].map(with));
    }
    let Some(seen) = both(&folder, &files) else { return };
    for condition in ["1", "2", "3", "4"] {
        assert!(
            seen.iter().any(|seen| seen["refused"] == json!([condition])),
            "no file is refused for condition {condition} alone"
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
        skip(&format!("the tables are of Unicode 16.0, and the database of this Python is newer: {unicode}"));
        return;
    }
    assert_eq!([&seen[0]["word"], &seen[0]["lower"], &seen[0]["space"]], [&json!([]); 3], "{seen:?}");
}

#[test]
fn both_refuse_a_malformed_record() {
    // A record has 4 words of weights, 2 and 2 of multipliers, 3 and 3 of initial sums, and 4 of weights. Before the
    // first record of a group of GRU there are 6 words of initial sums.
    const RECORD: usize = 18;
    for (cell, words) in [(Cell::Lstm, RECORD), (Cell::Gru, 6 + RECORD), (Cell::Rnn, RECORD)] {
        let spec = |embedding_dim, hidden_size| -> Spec {
            Spec { cell, ..Sizes { embedding_dim, hidden_size, classes: 2 }.into() }
        };
        let file = |spec: Spec| packed(Packing::Paired16, &spec.metadata(), spec.tensors(1));
        let (metadata, good) = file(spec(4, 4));
        let units = good.iter().position(|tensor| tensor.name.ends_with(".units_l0")).unwrap();
        let mut files = vec![to_bytes(&metadata, good.clone())];
        for (word, bit) in (0..words).flat_map(|word| (0..32).map(move |bit| (word, bit))) {
            let mut tensors = good.clone();
            tensors[units].data[4 * word + bit / 8] ^= 1 << (bit % 8);
            files.push(to_bytes(&metadata, tensors));
        }
        for (embedding_dim, hidden_size) in [(4, 6), (6, 4)] {
            let (metadata, tensors) = file(spec(embedding_dim, hidden_size));
            files.push(to_bytes(&metadata, tensors));
        }
        let Some(seen) = both(&folder("reference-record"), &files) else { return };
        let refused = seen.iter().filter(|seen| seen["refused"] != json!([])).count();
        // Refused are the signs of 8 multipliers, initial sums other than 256 · a + b, and some weights.
        let range = if cell == Cell::Gru { 120..400 } else { 60..200 };
        assert!(range.contains(&refused) && seen[0]["refused"] == json!([]), "{cell}: {refused} of {}", seen.len());
    }
}

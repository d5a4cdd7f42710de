//! Tests of the loader with malformed files, and of the runtime against its plain definition.

mod folded_files;
mod kinds;
mod missing_features;
#[cfg(feature = "ngrams")]
mod ngrams;
#[cfg(feature = "refusal")]
mod refusal;
#[cfg(feature = "token_fingerprints")]
mod token_fingerprints;
#[cfg(feature = "widths")]
mod weight_widths;

use super::*;
use crate::error::{LoadError, Name, ScratchError};
use crate::file_len;
use crate::golden::assert_golden;
use crate::layers::head::Ranked;
use crate::testing::{Aligned, Random, Sizes, TOKENS, extreme_tensors, metadata, random_file, tensors};
use crate::text::{Tokenizer, TokenizerKind};
use crate::write::{Dtype, Tensor, to_bytes};
use std::{string::String, vec, vec::Vec};

const SMALL: Sizes = Sizes { embedding_dim: 3, hidden_size: 5, classes: 2 };

fn run(model: &Model<'_>, text: &[u8]) -> Vec<i32> {
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    session.classify(text).iter().collect()
}

fn load(metadata: &[(String, String)], tensors: Vec<Tensor>) -> Result<(), LoadError> {
    Model::from_bytes(&Aligned::new(&to_bytes(metadata, tensors))).map(|_| ())
}

fn error_of(metadata: &[(String, String)], tensors: Vec<Tensor>) -> LoadError {
    load(metadata, tensors).unwrap_err()
}

fn tensor<'t>(tensors: &'t mut [Tensor], name: &str) -> &'t mut Tensor {
    tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

const TEXTS: [&str; 4] = ["", "free", "Free prize, call now!! call caller", "мир strange grüße мир strange"];

/// State and logits after every token.
fn trace(model: &Model<'_>) -> Vec<(u32, Vec<i32>)> {
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut seen = vec![];
    for text in TEXTS {
        session.reset();
        for byte in text.as_bytes() {
            session.feed(&[*byte]);
            seen.push((session.state_hash(), session.logits().iter().collect()));
        }
    }
    seen
}

#[test]
fn a_random_model_loads_and_passes_its_own_test() {
    for (seed, sizes) in [
        (1, SMALL),
        (2, Sizes { embedding_dim: 20, hidden_size: 64, classes: 7 }),
        (3, Sizes { embedding_dim: 1, hidden_size: 1, classes: 1 }),
    ] {
        let file = random_file(seed, sizes, "1");
        let model = Model::from_bytes(&file).unwrap();
        let config = model.config();
        assert_eq!(
            (config.vocab_size, config.embedding_dim, config.hidden_size),
            (10, sizes.embedding_dim, sizes.hidden_size)
        );
        assert_eq!(model.labels().len(), sizes.classes);
        assert_eq!(model.name(), "random");
        let bytes = 8 * sizes.hidden_size + 2 * sizes.embedding_dim;
        assert_eq!(model.scratch_len(), bytes.div_ceil(4));
        let mut scratch = vec![0; model.scratch_len()];
        assert_eq!(model.self_test(&mut scratch), Ok(SelfTest { passed: 3, total: 3 }));
        let short = model.session(&mut scratch[1..]).unwrap_err();
        assert_eq!(short, ScratchError { found: model.scratch_len() - 1, expected: model.scratch_len() });
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = random_file(1, SMALL, "0");
    for length in 0..file.len() {
        let cut = Aligned::new(&file[..length]);
        let error = Model::from_bytes(&cut).unwrap_err();
        assert!(
            matches!(error, LoadError::Truncated { found, expected } if found == length && expected > length),
            "{length}: {error}"
        );
    }
    let mut longer = file.to_vec();
    longer.push(0);
    assert_eq!(
        Model::from_bytes(&Aligned::new(&longer)).unwrap_err(),
        LoadError::TrailingBytes { found: file.len() + 1, expected: file.len() }
    );
    assert_eq!(file_len(&longer), Ok(file.len()));
}

#[test]
fn every_changed_byte_is_an_error_or_a_model_that_runs() {
    let file = random_file(1, SMALL, "0");
    let (mut random, mut refused) = (Random(7), 0);
    for at in 0..file.len() {
        for change in [0x01, 0x80, 0xff, random.between(1, 255) as u8] {
            let mut bytes = file.to_vec();
            bytes[at] ^= change;
            match Model::from_bytes(&Aligned::new(&bytes)) {
                Ok(model) => drop(run(&model, b"Free prize, call caller now!! \xff")),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 4 * 1_000, "the header alone has more bytes than {refused}");
}

#[test]
fn a_header_has_a_largest_length() {
    let file = random_file(1, SMALL, "0");
    let n = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    // Spaces at its end, up to the limit and one step beyond.
    let with_header = |length: usize| {
        let mut bytes = (length as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&file[8..8 + n]);
        bytes.resize(8 + length, b' ');
        bytes.extend_from_slice(&file[8 + n..]);
        Model::from_bytes(&Aligned::new(&bytes)).map(|model| model.cost().flash.header)
    };
    assert_eq!(with_header(32_760), Ok(32_768));
    for length in [32_768, 32_767, n + 1] {
        let error = with_header(length).unwrap_err();
        assert!(matches!(error, LoadError::Header { at: 0, .. }), "{length}: {error}");
    }
}

#[test]
fn a_comma_without_an_entry_or_a_dimension_is_refused() {
    let file = random_file(1, SMALL, "0");
    let n = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header = core::str::from_utf8(&file[8..8 + n]).unwrap();
    let loads = |header: &str| {
        let header = std::format!("{header:<width$}", width = header.len().next_multiple_of(8));
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &file[8 + n..]].concat();
        Model::from_bytes(&Aligned::new(&bytes)).map(|_| ())
    };
    assert_eq!(loads(header.trim_end()), Ok(()));
    assert!(matches!(loads("{}"), Err(LoadError::Header { .. })));
    // After dimensions of every rank, after a tensor, after the metadata's last key, and before the first of each.
    for (good, bad) in [
        ("[5,3,4]", "[5,3,4,]"),
        ("[5,4]", "[5,4,]"),
        ("[4]", "[4,]"),
        ("[5,3,4]", "[,5,3,4]"),
        ("[5,3,4]", "[5,3,4,1]"),
        ("]}}", "]},}"),
        ("\"},", "\",},"),
        ("{\"tern", "{,\"tern"),
        ("{\"__", "{,\"__"),
    ] {
        let changed = header.trim_end().replacen(good, bad, 1);
        assert!(changed.contains(bad), "{good} is not in {header}");
        let error = loads(&changed).unwrap_err();
        assert!(matches!(error, LoadError::Header { .. }), "{bad}: {error}");
    }
}

#[test]
fn a_file_must_be_aligned() {
    let file = random_file(1, SMALL, "0");
    let mut bytes = vec![0; 8];
    bytes.extend_from_slice(&file);
    let shifted = Aligned::new(&bytes);
    assert!(Model::from_bytes(&shifted[8..]).is_ok());
    let shifted = Aligned::new(&bytes[4..]);
    assert_eq!(Model::from_bytes(&shifted[4..]).unwrap_err(), LoadError::Misaligned);
}

#[test]
fn missing_unknown_and_duplicate_entries_are_named() {
    let good = tensors(1, SMALL);
    for left_out in 0..good.len() {
        let mut some = good.clone();
        let name = some.remove(left_out).name;
        let error = error_of(&metadata("0"), some);
        assert!(matches!(error, LoadError::MissingTensor(missing) if missing == name), "{name}: {error}");
    }
    let all = metadata("0");
    for left_out in 0..all.len() {
        let mut some = all.to_vec();
        let (key, value) = some.remove(left_out);
        assert_eq!(error_of(&some, good.clone()), LoadError::MissingKey(key.as_str().into()));
        some.push((key.clone(), "9".into()));
        assert!(matches!(error_of(&some, good.clone()), LoadError::Unsupported { key: k, .. } if k == key), "{key}");
        some.pop();
        some.extend([(key.clone(), value.clone()), (key.clone(), value)]);
        assert!(matches!(error_of(&some, good.clone()), LoadError::Duplicate(k) if k == key), "{key}");
    }
    let mut more = all.to_vec();
    more.push(("tern.colour".into(), "blue".into()));
    assert!(matches!(error_of(&more, good.clone()), LoadError::UnknownKey(k) if k.as_str() == "tern.colour"));
    let mut more = good.clone();
    more.push(Tensor::new("gru.bias", Dtype::I8, &[1], &[0i8]));
    assert!(matches!(error_of(&all, more), LoadError::UnknownTensor(k) if k.as_str() == "gru.bias"));
}

/// Replaces a tensor of a good file.
fn with(name: &str, change: impl FnOnce(&mut Tensor)) -> LoadError {
    let mut all = tensors(1, SMALL);
    change(tensor(&mut all, name));
    error_of(&metadata("0"), all)
}

#[test]
fn wrong_tensors_are_named() {
    let transposed = with("lstm.weight_ih_l0", |t| t.shape.swap(0, 1));
    let (tensor, found, expected) = ("lstm.weight_ih_l0".into(), [3, 5, 4], [5, 3, 4]);
    assert_eq!(transposed, LoadError::Shape { tensor, found, expected });
    assert_eq!(
        String::from("tensor `lstm.weight_ih_l0` is [3, 5, 4], expected [5, 3, 4]; export the model again"),
        std::format!("{transposed}")
    );
    let unsigned = with("lstm.weight_hh_l0", |t| t.dtype = Dtype::U8);
    assert_eq!(unsigned, LoadError::Type { tensor: "lstm.weight_hh_l0".into(), expected: "I8" });
    let weight = with("fc.weight", |t| t.data[3] = 0x80);
    assert_eq!(weight, LoadError::Range { tensor: "fc.weight".into(), index: 3 });
    let multiplier = with("lstm.multiplier_hh_l0", |t| t.data[5] |= 0x80);
    assert_eq!(multiplier, LoadError::Range { tensor: "lstm.multiplier_hh_l0".into(), index: 2 });
    let falling = with("labels.offsets", |t| t.data[4] = 13);
    assert_eq!(falling, LoadError::Texts { table: "labels", index: 1 });
    let not_utf8 = with("labels.bytes", |t| t.data[0] = 0xff);
    assert_eq!(not_utf8, LoadError::Texts { table: "labels", index: 0 });
    let unsorted = with("vocab.bytes", |t| t.data[2] = b'z');
    assert_eq!(unsorted, LoadError::VocabularyOrder { index: 2 });
}

/// The metadata with other words for some keys.
fn words(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut words = metadata("0");
    for &(key, word) in changes {
        words.iter_mut().filter(|(known, _)| known == key).for_each(|(_, old)| *old = word.into());
    }
    words
}

#[test]
fn every_tokenizer_loads_and_runs() {
    for &tokenizer in Tokenizer::ALL.iter().filter(|tokenizer| !tokenizer.is_bytes()) {
        let name = tokenizer.name();
        let file = Aligned::new(&to_bytes(&words(&[("tern.tokenizer", name)]), tensors(1, SMALL)));
        let model = Model::from_bytes(&file).unwrap();
        assert_eq!(model.config().tokenizer, tokenizer);
        assert_eq!(model.scratch_len(), (8 * 5 + 8) / 4 + crate::text::buffer_len(tokenizer));
        let mut scratch = vec![-1; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        session.classify(b"call FREE call");
        let (tokens, known) = match tokenizer.kind {
            TokenizerKind::Chars => (14, 0),
            _ => (3, 2 + u32::from(tokenizer.lowercase)),
        };
        assert_eq!((session.tokens(), session.tokens() - session.unknown()), (tokens, known), "{name}");
    }
    assert_eq!(
        error_of(&words(&[("tern.tokenizer", "syllables")]), tensors(1, SMALL)),
        LoadError::Unsupported {
            key: "tern.tokenizer".into(),
            found: Name::new("syllables"),
            expected: Tokenizer::NAMES
        }
    );
}

#[test]
fn bytes_need_no_vocabulary() {
    let bytes = words(&[("tern.tokenizer", "bytes"), ("tern.vocabulary", "bytes")]);
    let mut all = tensors(1, SMALL);
    for t in all.iter_mut().filter(|t| t.name.starts_with("embedding.") && t.name != "embedding.scale") {
        let row = t.data.len() / t.shape[0];
        t.data = t.data[..row].repeat(258);
        t.shape[0] = 258;
    }
    assert_eq!(error_of(&bytes, all.clone()), LoadError::UnknownTensor(Name::new("vocab.offsets")));
    all.retain(|t| !t.name.starts_with("vocab."));
    let file = Aligned::new(&to_bytes(&bytes, all.clone()));
    let model = Model::from_bytes(&file).unwrap();
    assert_eq!(model.config().vocab_size, 258);
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut ids = vec![];
    session.feed_with(b"a\xff\0", |step| ids.push(step.id));
    assert_eq!((ids, session.unknown()), (vec![99, 257, 2], 0));
    for (tokenizer, vocabulary, expected) in [("bytes", "sorted", "bytes"), ("words", "bytes", "sorted")] {
        let error = error_of(&words(&[("tern.tokenizer", tokenizer), ("tern.vocabulary", vocabulary)]), all.clone());
        let found = Name::new(vocabulary);
        assert_eq!(error, LoadError::Unsupported { key: "tern.vocabulary".into(), found, expected });
    }
}

#[test]
fn models_that_could_overflow_are_refused_and_others_do_not_overflow() {
    let bias = with("lstm.bias_l0", |t| t.data[..4].copy_from_slice(&i32::MAX.to_le_bytes()));
    assert_eq!(bias, LoadError::Overflow { tensor: "lstm.weight_ih_l0".into(), row: 0 });
    let bias = with("fc.bias", |t| t.data[4..].copy_from_slice(&i32::MIN.to_le_bytes()));
    assert_eq!(bias, LoadError::Overflow { tensor: "fc.weight".into(), row: 1 });

    // At the very edge of the bounds, with all operands at their extremes, no step overflows: overflow checks are on
    // here.
    let sizes = Sizes { embedding_dim: 3, hidden_size: 500, classes: 1 };
    for sign in [-1, 1] {
        let all = extreme_tensors(sign, sizes);
        let file = Aligned::new(&to_bytes(&metadata("0"), all.clone()));
        let model = Model::from_bytes(&file).unwrap();
        for text in ["", "free", "call now free prize caller !! grüße мир", &"now ".repeat(100)] {
            run(&model, text.as_bytes());
        }
        let error = error_of(&metadata("2"), all);
        assert_eq!(error, LoadError::Overflow { tensor: "lstm.multiplier_ih_l0".into(), row: 0 });
    }
}

#[test]
fn any_chunks_give_the_same_logits_and_reset_begins_a_new_text() {
    let file = random_file(4, SMALL, "1");
    let model = Model::from_bytes(&file).unwrap();
    let text = "Free Grüße, CALL now!! caller МИР, prize \u{fffd}".as_bytes();
    let whole = run(&model, text);
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    for chunk in 1..text.len() {
        session.reset();
        text.chunks(chunk).for_each(|c| session.feed(c));
        session.finish();
        assert!(session.logits().iter().eq(whole.iter().copied()), "chunks of {chunk}");
        assert_eq!((session.tokens(), session.unknown()), (11, 3));
    }
}

#[test]
fn feeding_ids_equals_feeding_their_tokens() {
    let file = random_file(4, SMALL, "1");
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    session.classify("call мир zebra".as_bytes());
    let (logits, hash): (Vec<i32>, u32) = (session.logits().iter().collect(), session.state_hash());
    session.reset();
    assert_ne!(session.state_hash(), hash);
    for id in [3, 9, u32::MAX] {
        session.feed_id(id);
    }
    assert_eq!((session.logits().iter().collect::<Vec<_>>(), session.state_hash()), (logits, hash));
    assert_eq!((session.tokens(), session.unknown()), (3, 1));
}

#[test]
fn a_token_is_found_only_whole() {
    let file = random_file(4, SMALL, "0");
    let model = Model::from_bytes(&file).unwrap();
    let ids = |text: &str| {
        let mut ids = vec![];
        let mut scratch = vec![0; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        session.feed_with(text.as_bytes(), |step| ids.push(step.id));
        session.finish_with(|step| ids.push(step.id));
        ids
    };
    for (i, token) in TOKENS.iter().enumerate() {
        assert_eq!(ids(token), [i as u32 + 2]);
        assert_eq!(model.vocabulary().token(i as u32 + 2), Some(*token));
    }
    assert_eq!(ids("cal calle callers a zz ! !!! мирр гр"), [1; 9]);
    assert_eq!(ids(&"call".repeat(10_000)), [1]);
    assert_eq!(ids(""), [0; 0]);
}

#[test]
fn ranks_and_probabilities_are_in_descending_order() {
    let file = random_file(6, Sizes { classes: 9, ..SMALL }, "0");
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let logits = session.classify(b"free call");
    let mut sorted: Vec<(i32, usize)> = logits.iter().enumerate().map(|(class, logit)| (-logit, class)).collect();
    sorted.sort();
    for count in [1, 4, 9, 12] {
        let mut ranks = vec![Ranked::default(); count];
        let filled = logits.top(&mut ranks);
        assert_eq!(filled, count.min(9));
        let found: Vec<(i32, usize)> = ranks[..filled].iter().map(|r| (-r.logit, r.class)).collect();
        assert_eq!(found, sorted[..filled]);
    }
    assert_eq!(logits.best().class, sorted[0].1);
    assert_eq!((logits.get(8), logits.get(9)), (logits.iter().last(), None));
    let falling: Vec<u32> = sorted.iter().map(|&(_, class)| logits.probability(class)).collect();
    assert!(falling.is_sorted_by(|a, b| a >= b), "{falling:?}");
    assert_eq!(logits.probability(9), 0);
}

/// A committed file with committed logits: who changes either changes the format or the arithmetic.
/// `TERN_BLESS=1 cargo test -p tern-runtime` makes both again.
#[test]
fn golden_file_and_logits() {
    let made = random_file(20, SMALL, "1");
    let model = Model::from_bytes(&made).unwrap();
    let mut logits = String::from("# made by model::tests::golden_file_and_logits: text, tab, logits in Q16\n");
    for text in ["", "free", "Free prize, call now!!", "МИР caller grüße", &"call now ".repeat(100)] {
        logits += &std::format!("{text}\t{:?}\n", run(&model, text.as_bytes()));
    }
    assert_golden("tests/golden/lstm.safetensors", &made);
    assert_golden("tests/golden/lstm.txt", logits.as_bytes());
}

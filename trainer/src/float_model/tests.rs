//! Tests of saving and loading model directories, and the small models that other tests use.

use super::*;
use crate::architecture::{Architecture, Cell, CellBias, Head, Merge, Pooling, Recurrent, Sizes, names};
use crate::logits::Logits;
use crate::model::Model;
use crate::nn::ngrams::Grid;
use crate::nn::reference;
use std::fs;
use std::path::Path;
use tern_format::Task;

/// A small model with arbitrary weights.
pub(crate) fn model() -> FloatModel {
    model_of(Recurrent::default())
}

/// A small model of any network.
pub(crate) fn model_of(recurrent: Recurrent) -> FloatModel {
    model_with(recurrent, Head { hidden: 0, outputs: 2 })
}

/// A small model with any network and head: a classifier with one output or two, a language model with eleven.
pub(crate) fn model_with(recurrent: Recurrent, head: Head) -> FloatModel {
    let texts = ["free prize, call now", "see you at lunch"];
    let vocabulary = Vocabulary::build(texts.into_iter(), 1, None);
    let sizes = Sizes { vocab_size: vocabulary.len(), embedding_dim: 5, hidden_size: 7, labels: 2 };
    let architecture = Architecture { head, ..Architecture::of_tokens(sizes, recurrent) };
    let weights = reference::weights(&architecture);
    let rows: Vec<Example> =
        texts.iter().enumerate().map(|(label, text)| Example { text: (*text).into(), label }).collect();
    let config = match head.outputs {
        1 | 2 => Config::classifier("test", &architecture, vec!["spam".to_owned(), "ham".to_owned()]),
        _ => Config::new("test", Task::LanguageModel, &architecture),
    };
    FloatModel::new(config, vocabulary, weights, rows.clone(), rows).unwrap()
}

fn saved() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    model().save(dir.path()).unwrap();
    dir
}

/// Every cell and every way of reading, one and two layers.
pub(crate) fn networks() -> Vec<Recurrent> {
    let mut all = Vec::new();
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
        for pooling in [Pooling::Last, Pooling::Mean, Pooling::Max, Pooling::MeanMax] {
            all.push(Recurrent { cell, pooling, num_layers: 2, ..Recurrent::default() });
            for merge in [Merge::Concat, Merge::Sum, Merge::Mean, Merge::Product] {
                all.push(Recurrent { cell, bidirectional: true, merge, pooling, ..Recurrent::default() });
            }
        }
        all.push(Recurrent { cell, num_layers: 4, bidirectional: true, ..Recurrent::default() });
    }
    all
}

#[test]
fn a_model_comes_back_as_it_was() {
    for recurrent in networks() {
        let model = model_of(recurrent);
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let loaded = FloatModel::load(dir.path()).unwrap();
        assert_eq!(loaded.config(), model.config());
        assert_eq!(loaded.vocabulary(), model.vocabulary());
        assert_eq!(loaded.weights(), model.weights());
        assert_eq!(loaded.calibration(), model.calibration());
        assert_eq!(loaded.validation(), model.validation());
        for text in ["", "free lunch", "nothing known"] {
            assert_eq!(loaded.logits(text), model.logits(text));
        }
    }
}

/// The model of [`model`] with an n-gram branch, whose weights are multiples of a step, and with this number of
/// recurrent layers.
pub(crate) fn model_with_ngrams(num_layers: usize) -> FloatModel {
    let plain = model();
    let step = 0.1f32;
    let branch = NgramBranch {
        buckets: 64,
        rank: 4,
        words: 2,
        min_chars: 2,
        max_chars: 4,
        bits: 4,
        step: f64::from(step),
        fingerprints: None,
    };
    let config = Config { num_layers, ngrams: Some(branch.clone()), ..plain.config().clone() };
    let mut weights = reference::weights(&config.architecture());
    let grid = Grid::new(step, branch.bits);
    weights.get_mut(names::NGRAMS).data.iter_mut().for_each(|value| *value = grid.round(*value));
    let (calibration, validation) = (plain.calibration().to_vec(), plain.validation().to_vec());
    FloatModel::new(config, plain.vocabulary().clone(), weights, calibration, validation).unwrap()
}

#[test]
fn model_with_an_ngram_branch_comes_back_as_it_was() {
    for num_layers in [0, 1] {
        let model = model_with_ngrams(num_layers);
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let loaded = FloatModel::load(dir.path()).unwrap();
        assert_eq!((loaded.config(), loaded.weights()), (model.config(), model.weights()));
        let step = loaded.config().ngrams.as_ref().unwrap().step as f32;
        for &weight in &loaded.weights()[names::NGRAMS].data {
            assert_eq!((weight / step).round() * step, weight);
        }
        for text in ["", "free lunch", "nothing known"] {
            assert_eq!(loaded.logits(text), model.logits(text));
            assert_eq!(model.classify(text).logits, Logits::Float(model.logits(text)));
        }
        assert_ne!(model.logits("nothing known"), model.logits("nothing owned"), "n-grams of unknown words count");
        let known = |text: &str| model.classify(text).tokens - model.classify(text).unknown;
        assert_eq!(known("nothing known"), if num_layers == 0 { 2 } else { 0 });
    }
}

#[test]
fn trace_with_an_ngram_branch_ends_with_the_logits_of_the_text() {
    for num_layers in [0, 1] {
        let model = model_with_ngrams(num_layers);
        let text = "Free prize, nothing at lunch!";
        let steps = model.trace(text);
        assert_eq!(steps.len(), model.vocabulary().encode(text).len());
        assert_eq!(steps.last().unwrap().logits, model.classify(text).logits);
        assert_eq!(steps[1].logits, model.classify("free prize").logits);
        assert_eq!(steps[1].token, "prize");
    }
}

#[test]
fn broken_ngram_branches_are_refused() {
    let json = model_with_ngrams(1).config().to_json();
    for (from, to, expected) in [
        ("\"buckets\": 64", "\"buckets\": 60", "`ngrams.buckets` is 60, expected a power of 2"),
        ("\"buckets\": 64", "\"buckets\": 8", "`ngrams.buckets` is 8, expected 16 to 1048576"),
        ("\"rank\": 4", "\"rank\": 0", "`ngrams.rank` is 0, expected 1 to 256"),
        ("\"bits\": 4", "\"bits\": 5", "`ngrams.bits` is 5 with rank 4, expected 4 or 8"),
        ("\"max_chars\": 4", "\"max_chars\": 1", "`ngrams`: n-grams of characters must have"),
        ("\"step\": 0.1", "\"step\": -0.1", "`ngrams.step` is -0.1"),
    ] {
        assert!(json.contains(from), "{from} is missing in {json}");
        let error = Config::from_json(&json.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn logits_without_tokens_are_the_bias() {
    for recurrent in networks() {
        let model = model_of(recurrent);
        assert_eq!(model.logits(" "), model.weights()["fc.bias"].data);
    }
}

#[test]
fn logits_after_each_token_end_with_those_of_the_text() {
    for recurrent in networks() {
        let model = model_of(recurrent);
        let ids = model.vocabulary().encode("free prize at lunch");
        let each = model.network().logits_after_each(&ids);
        assert_eq!(each.len(), ids.len());
        for end in 1..=ids.len() {
            assert_eq!(each[end - 1], model.network().logits(&ids[..end]));
        }
    }
}

#[test]
fn broken_files_are_refused_with_their_names() {
    let edit = |name: &str, from: &str, to: &str| {
        let dir = saved();
        let path = dir.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        FloatModel::load(dir.path()).unwrap_err().to_string()
    };
    for (name, from, to, expected) in [
        ("config.json", "\"lstm\"", "\"elman\"", "config.json: unknown variant `elman`, expected one of `lstm`, `gru`"),
        ("config.json", "\"lstm\"", "\"gru\"", "tensor `gru.weight_ih_l0` is missing, expected [21, 5]"),
        ("config.json", "\"num_layers\": 1", "\"num_layers\": 5", "`num_layers` is 5, expected 1 to 4"),
        (
            "config.json",
            "\"num_layers\": 1",
            "\"num_layers\": 2",
            "tensor `lstm.weight_ih_l1` is missing, expected [28, 7]",
        ),
        ("config.json", "false", "true", "tensor `lstm.weight_ih_l0_reverse` is missing"),
        ("config.json", "\"concat\"", "\"sum\"", "`merge` must be concat where bidirectional is false"),
        ("config.json", "\"last\"", "\"mean_max\"", "tensor `fc.weight` is [2, 7], expected [2, 14]"),
        ("config.json", "\"tern\"", "\"bert\"", "`model_type` is \"bert\""),
        (
            "config.json",
            "\"hidden_size\": 7",
            "\"hidden_size\": 8",
            "tensor `lstm.weight_ih_l0` is [28, 5], expected [32, 5]",
        ),
        ("config.json", "\"hidden_size\": 7", "\"hidden_size\": 0", "`hidden_size` is 0, expected 1 to"),
        ("config.json", "\"spam\"", "\"ham\"", "expected distinct names"),
        ("config.json", "{", "[", "config.json"),
        ("config.json", "\"vocab_size\": 11", "\"vocab_size\": 12", "tokenizer.json: 11 tokens, expected 12"),
        ("tokenizer.json", "\"WordLevel\"", "\"BPE\"", "tokenizer.json: model.type is \"BPE\""),
        ("validation.csv", "spam", "egg", "unknown label \"egg\""),
    ] {
        let error = edit(name, from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn broken_weights_are_refused() {
    let dir = saved();
    let path = dir.path().join(files::WEIGHTS);
    let bytes = fs::read(&path).unwrap();
    for end in [0, 7, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..end]).unwrap();
        let error = FloatModel::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }
    let mut nan = bytes.clone();
    nan.splice(bytes.len() - 4.., f32::NAN.to_le_bytes());
    fs::write(&path, nan).unwrap();
    assert!(FloatModel::load(dir.path()).unwrap_err().to_string().contains("NaN"));
}

#[test]
fn a_directory_without_a_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FloatModel::load(dir.path()).unwrap_err().to_string().contains("expected a model directory"));
}

#[test]
fn a_model_directory_is_replaced_and_nothing_else_is() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("new/model");
    let write = |target: &Path| -> Result<(), FileError> {
        let staged = Staged::new(target)?;
        model().save(staged.path()).unwrap();
        staged.commit()
    };
    write(&target).unwrap();
    fs::write(target.join("report.html"), "").unwrap();
    let left_behind = target.with_file_name(".model.former");
    fs::create_dir(&left_behind).unwrap();
    fs::write(left_behind.join("config.json"), "").unwrap();
    write(&target).unwrap();
    fs::remove_dir_all(&left_behind).unwrap();
    assert!(!target.join("report.html").exists());
    FloatModel::load(&target).unwrap();
    let entries = fs::read_dir(target.parent().unwrap()).unwrap().count();
    assert_eq!(entries, 1, "temporary folders are left over");

    let other = parent.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("config.json"), "{\"model_type\": \"bert\"}").unwrap();
    let occupied =
        |target: &Path| write(target).unwrap_err().problem.starts_with("exists and is not a Tern model directory");
    assert!(occupied(&other));
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(occupied(&file));
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let dir = saved();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    let message = Staged::new(dir.path()).unwrap_err().to_string();
    assert!(message.contains("notes.txt") && message.contains(".git"), "{message}");
    assert_eq!(fs::read_to_string(dir.path().join("notes.txt")).unwrap(), "mine");
    fs::remove_file(dir.path().join("notes.txt")).unwrap();
    fs::remove_dir(dir.path().join(".git")).unwrap();
    Staged::new(dir.path()).unwrap();
}

#[test]
fn saved_files_have_the_keys_of_hugging_face_tools() {
    let folder = tempfile::tempdir().unwrap();
    model().save(folder.path()).unwrap();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&read(files::WEIGHTS)).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
    let config: serde_json::Value = serde_json::from_slice(&read(files::CONFIG)).unwrap();
    assert_eq!(config["model_type"], "tern");
    assert_eq!(config["id2label"], serde_json::json!({ "0": "spam", "1": "ham" }));
    assert_eq!(config["label2id"], serde_json::json!({ "spam": 0, "ham": 1 }));
    let tokenizer: serde_json::Value = serde_json::from_slice(&read(files::TOKENIZER_CONFIG)).unwrap();
    assert_eq!(tokenizer["unk_token"], "[UNK]");
}

#[test]
fn config_ignores_unknown_keys_and_reads_old_spellings() {
    let mut json: serde_json::Value = serde_json::from_str(&model().config().to_json()).unwrap();
    json["transformers_version"] = "5.0".into();
    for (key, old) in [("hidden_size", "hidden"), ("num_layers", "layers"), ("embedding_dim", "embedding")] {
        json[old] = json.as_object_mut().unwrap().remove(key).unwrap();
    }
    // A configuration without `merge` has one direction.
    json.as_object_mut().unwrap().remove("merge").unwrap();
    assert_eq!(Config::from_json(&json.to_string()).unwrap(), *model().config());
}

#[test]
fn model_with_one_bias_is_saved_and_loaded() {
    let recurrent = Recurrent { bias: CellBias::One, ..Recurrent::default() };
    let one = model_of(recurrent);
    let folder = tempfile::tempdir().unwrap();
    one.save(folder.path()).unwrap();
    let loaded = FloatModel::load(folder.path()).unwrap();
    assert_eq!((loaded.config(), loaded.weights()), (one.config(), one.weights()));
    assert!(loaded.weights().get("lstm.bias_hh_l0").is_none());
    assert!(!model().config().to_json().contains("recurrent_biases"));
}

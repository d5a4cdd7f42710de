//! State dicts that PyTorch wrote (`golden/make.py`), and what is said about wrong ones.

use super::*;
use crate::architecture::{Cell, Pooling};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

#[derive(Deserialize)]
struct Golden {
    made_by: String,
    vocab: Vec<String>,
    texts: Vec<String>,
    models: Vec<GoldenModel>,
}

#[derive(Deserialize)]
struct GoldenModel {
    name: String,
    settings: serde_json::Value,
    logits: Vec<Vec<f32>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/models.json")).unwrap()
}

fn state_dict(name: &str) -> &'static [u8] {
    match name {
        "plain" => include_bytes!("golden/plain.safetensors"),
        "nested" => include_bytes!("golden/nested.safetensors"),
        "sigmoid" => include_bytes!("golden/sigmoid.safetensors"),
        "brain" => include_bytes!("golden/brain.safetensors"),
        other => panic!("no model {other}"),
    }
}

/// A folder with weights.safetensors, c.json and vocab.txt.
struct Files(TempDir);

impl Files {
    fn new(weights: &[u8], settings: &serde_json::Value, vocab: &str) -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        fs::write(files.path("weights.safetensors"), weights).unwrap();
        fs::write(files.path("c.json"), settings.to_string()).unwrap();
        fs::write(files.path("vocab.txt"), vocab).unwrap();
        files
    }

    /// The golden model `name` with other settings.
    fn of(name: &str, settings: serde_json::Value) -> Self {
        Files::new(state_dict(name), &settings, &(golden().vocab.join("\n") + "\n"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn import(&self) -> Result<Imported, ImportError> {
        import(&self.path("weights.safetensors"), &self.path("c.json"), &self.path("vocab.txt"))
    }

    fn error(&self) -> String {
        self.import().unwrap_err().to_string()
    }
}

#[test]
fn pytorchs_models_give_pytorchs_logits() {
    let golden = golden();
    assert!(golden.made_by.contains("torch "));
    for GoldenModel { name, settings, logits } in golden.models {
        let files = Files::of(&name, settings);
        let Imported { model, .. } = files.import().unwrap_or_else(|error| panic!("{name}: {error}"));
        for (text, expected) in golden.texts.iter().zip(&logits) {
            let found = model.logits(text);
            assert_eq!(found.len(), expected.len(), "{name}: {text}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{name}: {text}: {found} and {expected}");
            }
        }
        // As a directory it is a model like any other.
        let dir = files.path("model");
        fs::create_dir(&dir).unwrap();
        model.save(&dir).unwrap();
        let loaded = FloatModel::load(&dir).unwrap();
        assert_eq!(loaded.logits(&golden.texts[0]), model.logits(&golden.texts[0]), "{name}");
    }
}

#[test]
fn parts_are_found_by_name_and_shape() {
    let golden = golden();
    let import = |index: usize| {
        let GoldenModel { name, settings, .. } = &golden.models[index];
        Files::of(name, settings.clone()).import().unwrap()
    };
    let nested = import(1);
    let config = nested.model.config();
    assert_eq!((config.cell, config.num_layers, config.bidirectional), (Cell::Gru, 2, true));
    assert_eq!((config.hidden_size, config.head_hidden, config.pooling), (3, 6, Pooling::MeanMax));
    let notes = nested.notes.join("\n");
    for note in [
        "all names began with `module.`",
        "tensors were converted from F16 to F32",
        "the head is `classifier.0.weight`, ReLU, `classifier.2.weight`",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    let notes = import(2).notes.join("\n");
    assert!(notes.contains("`rnn.` has no biases (bias=False): they are zero"), "{notes}");
    // PAD and UNK change places with the rows that were there.
    let tokens = import(0).model.vocabulary().tokens().to_vec();
    assert_eq!(tokens[..4], ["[PAD]", "[UNK]", "the", "free"]);
    assert_eq!(tokens.len(), golden.vocab.len());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let labels = serde_json::json!(["a", "b", "c"]);
    for (model, settings, expected) in [
        ("plain", serde_json::json!({}), "missing field `labels`"),
        ("plain", serde_json::json!({"labels": labels, "poling": "max"}), "unknown field `poling`"),
        (
            "plain",
            serde_json::json!({"labels": ["a", "b"]}),
            "tensor `fc.weight` is [3, 5], expected [2, 5]: one row for each of the 2 labels, 5 columns where `pooling` is \"last\"",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "pooling": "mean_max"}),
            "tensor `fc.weight` is [3, 5], expected [3, 10]",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "cell": "gru"}),
            "tensor `lstm.weight_hh_l0` is [20, 5], expected [3 h, h] where `cell` is \"gru\"; with this shape it is \"lstm\"",
        ),
        ("plain", serde_json::json!({"labels": labels, "hidden_size": 64}), "hidden_size is 64, but the tensors of"),
        (
            "plain",
            serde_json::json!({"labels": labels, "bidirectional": true}),
            "bidirectional is true, but the tensors of",
        ),
        ("plain", serde_json::json!({"labels": labels, "vocab_size": 9}), "10 tokens (vocab_size is 9), expected 10"),
        (
            "plain",
            serde_json::json!({"labels": labels, "tokenizer": "bpe"}),
            "tokenizer is \"bpe\", expected one of whitespace",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "unk": "<oops>"}),
            "`unk` is \"<oops>\", which is none of the 10 tokens",
        ),
        ("plain", serde_json::json!({"labels": labels, "pad": 10}), "`pad` is number 10, expected one below 10"),
        (
            "plain",
            serde_json::json!({"labels": labels, "ignore": ["x"]}),
            "`ignore` names `x`, expected a tensor; there are",
        ),
        ("plain", serde_json::json!({"labels": labels, "rename": {"x.": ""}}), "[rename] \"x.\" fits no tensor"),
        ("plain", serde_json::json!({"labels": ["a", "a", "c"]}), "expected names that differ"),
        ("plain", serde_json::json!({"labels": labels, "merge": "sum"}), "`merge` is \"sum\""),
        (
            "plain",
            serde_json::json!({"labels": labels, "ignore": ["embedding.weight"]}),
            "no embedding, expected `embedding.weight`",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "ignore": ["lstm.weight_hh_l0"]}),
            "no recurrent layer, expected `lstm.weight_hh_l0`",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "ignore": ["lstm.bias_hh_l0"]}),
            "no `lstm.bias_hh_l0`, expected [20]",
        ),
        (
            "plain",
            serde_json::json!({"labels": labels, "ignore": ["fc.weight"]}),
            "no linear layer, expected `fc.weight`, [3, 5]",
        ),
        ("sigmoid", serde_json::json!({"labels": ["n", "y"]}), "tensor `out.weight` is [1, 8], expected [2, 8]"),
    ] {
        let error = Files::of(model, settings.clone()).error();
        assert!(error.contains(expected), "{settings}: {error}");
    }
    // Without a bias the layer has none: this is legal, and said.
    let settings = serde_json::json!({"labels": labels, "ignore": ["fc.bias"]});
    let notes = Files::of("plain", settings).import().unwrap().notes.join("\n");
    assert!(notes.contains("`fc.weight` has no bias"), "{notes}");
}

/// A state dict of such tensors, all ones.
fn ones(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, shape)| 1f32.to_le_bytes().repeat(shape.iter().product::<usize>())).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

const SMALL: [(&str, &[usize]); 5] = [
    ("emb.weight", &[4, 2]),
    ("lstm.weight_ih_l0", &[12, 2]),
    ("lstm.weight_hh_l0", &[12, 3]),
    ("fc.weight", &[2, 3]),
    ("fc.bias", &[2]),
];

#[test]
fn tensors_without_a_place_are_named() {
    let small = &SMALL[..];
    let settings = serde_json::json!({"labels": ["a", "b"]});
    let error = |tensors: &[(&str, &[usize])]| Files::new(&ones(tensors), &settings, "<pad>\n<unk>\na\nb\n").error();
    let with = |more: &[(&'static str, &'static [usize])]| [small, more].concat();
    assert!(Files::new(&ones(small), &settings, "<pad>\n<unk>\na\nb\n").import().is_ok());
    for (tensors, expected) in [
        (
            with(&[("norm.scale", &[3])]),
            "no place for \"norm.scale\"; the network is one LSTM layer of 3 cells before 2 outputs. Say what",
        ),
        (
            with(&[("gru.weight_hh_l0", &[9, 3])]),
            "2 recurrent modules, \"gru.weight_hh_l0\", \"lstm.weight_hh_l0\", expected one",
        ),
        (with(&[("lstm.weight_hr_l0", &[2, 3])]), "projections (proj_size) are not supported"),
        (with(&[("a.weight", &[3, 3]), ("b.weight", &[3, 3])]), "3 matrices besides embedding and recurrent layers"),
        (
            with(&[("a.weight", &[7, 9])]),
            "tensor `a.weight` is [7, 9], expected with `fc.weight`, [units, 3] and [2, units]",
        ),
        (
            with(&[("lstm.weight_ih_l1", &[12, 4]), ("lstm.weight_hh_l1", &[12, 3])]),
            "tensor `lstm.weight_ih_l1` is [12, 4], expected [12, 3]",
        ),
    ] {
        let error = error(&tensors);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn other_files_are_named() {
    let labels = serde_json::json!({"labels": ["a", "b", "c"]});
    let vocab = golden().vocab.join("\n");
    for (bytes, expected) in [
        (&b"PK\x03\x04rest"[..], "a file of torch.save, expected safetensors"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P", "a file of torch.save, expected safetensors"),
        (b"{}", "expected a safetensors file, as `safetensors.torch.save_file(model.state_dict(), …)` writes it"),
    ] {
        let error = Files::new(bytes, &labels, &vocab).error();
        assert!(error.contains(expected), "{error}");
    }
    let shape = vec![2, 2];
    let bytes = [0; 4];
    let views = [("steps", TensorView::new(Dtype::U8, shape, &bytes).unwrap())];
    let error = Files::new(&safetensors::serialize(views, None).unwrap(), &labels, &vocab).error();
    assert!(
        error.contains("tensor `steps` is U8, expected F32, F64, F16 or BF16; convert it, or name it in `ignore`"),
        "{error}"
    );
    let error = Files::of("plain", labels.clone()).0.path().join("none");
    let error = import(&error, &error, &error).unwrap_err().to_string();
    assert!(error.contains("none: "), "{error}");
}

#[test]
fn vocabularies_are_checked() {
    let labels = serde_json::json!({"labels": ["a", "b", "c"]});
    let vocab = golden().vocab;
    let error = Files::new(state_dict("plain"), &labels, &vocab[1..].join("\n")).error();
    assert!(error.contains("vocab.txt: 9 tokens, expected 10, one for each row of the embedding in"), "{error}");
    let mut twice = vocab.clone();
    twice[0] = "free".to_owned();
    let error = Files::new(state_dict("plain"), &labels, &twice.join("\n")).error();
    assert!(error.contains("token \"free\" has two ids"), "{error}");

    let mut odd = vocab;
    (odd[1], odd[4], odd[2]) = ("x".to_owned(), "y".to_owned(), "Free!".to_owned());
    let imported = Files::new(state_dict("plain"), &labels, &odd.join("\n")).import().unwrap();
    let notes = imported.notes.join("\n");
    for note in [
        "no token for padding",
        "no token for unknown words",
        "1 tokens never come out of the tokenizer \"words\": \"Free!\"",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    assert_eq!(imported.model.config().vocab_size, 12);
    let numbered = serde_json::json!({"labels": ["a", "b", "c"], "pad": 4, "unk": 1});
    let imported = Files::new(state_dict("plain"), &numbered, &odd.join("\n")).import().unwrap();
    assert_eq!(imported.model.config().vocab_size, 10);
}

#[test]
fn tokenizer_json_and_plain_json() {
    let golden = golden();
    let files = Files::of("plain", golden.models[0].settings.clone());
    let logits = files.import().unwrap().model.logits("free lunch !!");
    let ids: serde_json::Map<String, serde_json::Value> =
        golden.vocab.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let path = files.path("t.json");
    let import = |json: serde_json::Value| {
        fs::write(&path, json.to_string()).unwrap();
        import(&files.path("weights.safetensors"), &files.path("c.json"), &path)
    };
    let tokenizer = |normalizer: &str| {
        serde_json::json!({
            "normalizer": {"type": normalizer},
            "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "vocab": ids, "unk_token": "<unk>"},
        })
    };
    assert_eq!(import(tokenizer("Lowercase")).unwrap().model.logits("free lunch !!"), logits);
    assert_eq!(import(ids.clone().into()).unwrap().model.logits("free lunch !!"), logits);
    let error = import(tokenizer("NFC")).unwrap_err().to_string();
    assert!(error.contains("none of Tern's tokenizers cuts text like this, expected for"), "{error}");
    let error = import(serde_json::json!({"a": 0, "b": 0})).unwrap_err().to_string();
    assert!(error.contains("token \"b\" has number 0, expected each number below 2 once"), "{error}");
}

#[test]
fn text_is_cut_as_the_settings_say() {
    let vocab = golden().vocab.join("\n");
    let tokens = |tokenizer: &str| {
        let settings = serde_json::json!({"labels": ["a", "b", "c"], "tokenizer": tokenizer});
        let model = Files::new(state_dict("plain"), &settings, &vocab).import().unwrap().model;
        assert_eq!(model.config().tokenizer, tokenizer);
        model.vocabulary().encode("prize!! Free")
    };
    assert_eq!(tokens("words"), [4, 7, 3]);
    assert_eq!(tokens("whitespace"), [1, 3]);
    assert_eq!(tokens("words_cased"), [4, 7, 1]);
}

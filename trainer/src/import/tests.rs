//! Tests with `state_dict`s that PyTorch wrote (`golden/make.py`), and error messages for wrong files.

use super::*;
use crate::architecture::{Cell, Pooling};
use crate::nn::network::{Input, Trace};
use crate::weights::Weights;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::{Value, json};
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
    settings: Value,
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
        "values" => include_bytes!("golden/values.safetensors"),
        other => panic!("no model {other}"),
    }
}

/// Adds the labels of the golden models with three outputs.
fn with_labels(mut settings: Value) -> Value {
    settings["labels"] = json!(["a", "b", "c"]);
    settings
}

/// A folder with weights.safetensors, c.json and vocab.txt.
struct Files(TempDir);

impl Files {
    fn new(weights: &[u8], settings: &Value, vocab: &str) -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        fs::write(files.path("weights.safetensors"), weights).unwrap();
        fs::write(files.path("c.json"), settings.to_string()).unwrap();
        fs::write(files.path("vocab.txt"), vocab).unwrap();
        files
    }

    /// The golden model `name` with other settings.
    fn of(name: &str, settings: Value) -> Self {
        Files::new(state_dict(name), &settings, &(golden().vocab.join("\n") + "\n"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn import(&self) -> Result<Imported, FileError> {
        import(&self.path("weights.safetensors"), &self.path("c.json"), Some(&self.path("vocab.txt")))
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
        // The saved directory gives the same logits.
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
    for note in ["the prefix `module.` of all names was removed", "tensors were converted from F16 to F32"] {
        assert!(notes.contains(note), "{notes}");
    }
    let notes = import(2).notes.join("\n");
    assert!(notes.contains("`rnn.` has no biases (bias=False): they are zero"), "{notes}");
    // PAD and UNK are moved to ids 0 and 1.
    let tokens = import(0).model.vocabulary().tokens().to_vec();
    assert_eq!(tokens[..4], ["[PAD]", "[UNK]", "the", "free"]);
    assert_eq!(tokens.len(), golden.vocab.len());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let other_labels = [
        ("plain", json!({}), "missing field `labels`"),
        (
            "plain",
            json!({"labels": ["a", "b"]}),
            "tensor `fc.weight` is [3, 5], expected [2, 5]: one row for each of the 2 labels, 5 columns where `pooling` is \
             \"last\"",
        ),
        ("plain", json!({"labels": ["a", "a", "c"]}), "expected distinct names"),
        ("sigmoid", json!({"labels": ["n", "y"]}), "tensor `out.weight` is [1, 8], expected [2, 8]"),
    ];
    let three_labels = [
        (json!({"poling": "max"}), "unknown field `poling`"),
        (json!({"pooling": "mean_max"}), "tensor `fc.weight` is [3, 5], expected [3, 10]"),
        (
            json!({"cell": "gru"}),
            "tensor `lstm.weight_hh_l0` is [20, 5], expected [3 h, h] where `cell` is \"gru\"; with this shape it is \"lstm\"",
        ),
        (json!({"hidden_size": 64}), "hidden_size is 64, but it is 5 by the tensors of"),
        (json!({"bidirectional": true}), "bidirectional is true, but it is false by the tensors of"),
        (json!({"vocab_size": 9}), "10 tokens (vocab_size is 9), expected 10"),
        (json!({"tokenizer": "bpe"}), "tokenizer is \"bpe\", expected one of whitespace"),
        (json!({"unk": "<oops>"}), "`unk` is \"<oops>\", which is none of the 10 tokens"),
        (json!({"pad": 10}), "`pad` is row 10, expected one below 10"),
        (json!({"ignore": ["x"]}), "`ignore` names `x`, expected one of the tensors"),
        (json!({"rename": {"x.": ""}}), "[rename] \"x.\" matches no tensor"),
        (json!({"merge": "sum"}), "`merge` must be concat where bidirectional is false"),
        (json!({"ignore": ["embedding.weight"]}), "no embedding, expected `embedding.weight`"),
        (json!({"ignore": ["lstm.weight_hh_l0"]}), "no recurrent layer, expected `lstm.weight_hh_l0`"),
        (json!({"ignore": ["lstm.bias_ih_l0"]}), "no `lstm.bias_ih_l0`, expected [20]"),
        (json!({"ignore": ["fc.weight"]}), "no linear layer, expected `fc.weight`, [3, 5]"),
    ];
    let three_labels = three_labels.map(|(settings, expected)| ("plain", with_labels(settings), expected));
    for (model, settings, expected) in other_labels.into_iter().chain(three_labels) {
        let error = Files::of(model, settings.clone()).error();
        assert!(error.contains(expected), "{settings}: {error}");
    }
    // A linear layer without a bias is accepted, with a note.
    let notes = Files::of("plain", with_labels(json!({"ignore": ["fc.bias"]}))).import().unwrap().notes.join("\n");
    assert!(notes.contains("`fc.weight` has no bias"), "{notes}");
}

/// A `state_dict` with these names and shapes and all values 1.
fn ones(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, shape)| 1f32.to_le_bytes().repeat(shape.iter().product::<usize>())).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

/// Settings for two labels.
fn two_labels() -> Value {
    json!({"labels": ["a", "b"]})
}

/// The four tokens of the small networks below.
const FOUR_TOKENS: &str = "<pad>\n<unk>\na\nb\n";

const SMALL: [(&str, &[usize]); 5] = [
    ("emb.weight", &[4, 2]),
    ("lstm.weight_ih_l0", &[12, 2]),
    ("lstm.weight_hh_l0", &[12, 3]),
    ("fc.weight", &[2, 3]),
    ("fc.bias", &[2]),
];

#[test]
fn tensors_that_are_not_recognised_are_named() {
    let import = |tensors: &[(&str, &[usize])]| Files::new(&ones(tensors), &two_labels(), FOUR_TOKENS).import();
    import(&SMALL).unwrap();
    let with = |more: &[(&'static str, &'static [usize])]| [&SMALL[..], more].concat();
    for (tensors, expected) in [
        (
            with(&[("norm.scale", &[3])]),
            "no place for \"norm.scale\"; the network is one LSTM layer of 3 cells before 2 outputs. Rename it",
        ),
        (
            with(&[("gru.weight_hh_l0", &[9, 3])]),
            "2 recurrent modules, \"gru.weight_hh_l0\", \"lstm.weight_hh_l0\", expected one",
        ),
        (with(&[("lstm.weight_hr_l0", &[2, 3])]), "projections (proj_size) are not supported"),
        (
            with(&[("char_emb.weight", &[4, 2])]),
            "2 matrices that may be the embedding, \"char_emb.weight\", \"emb.weight\", expected `embedding.weight` of",
        ),
        (with(&[("a.weight", &[3, 3]), ("b.weight", &[3, 3])]), "3 matrices besides embedding and recurrent layers"),
        (
            with(&[("a.weight", &[7, 9])]),
            "`a.weight` is [7, 9] and `fc.weight` is [2, 3], expected a first layer of [units, 3], 3 columns where",
        ),
        (
            with(&[("lstm.weight_ih_l1", &[12, 4]), ("lstm.weight_hh_l1", &[12, 3])]),
            "tensor `lstm.weight_ih_l1` is [12, 4], expected [12, 3]",
        ),
    ] {
        let error = import(&tensors).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn files_of_other_formats_are_refused_with_advice() {
    let labels = with_labels(json!({}));
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
    let missing = Files::of("plain", labels).path("none");
    let error = import(&missing, &missing, Some(&missing)).unwrap_err().to_string();
    assert!(error.contains("none: "), "{error}");
}

#[test]
fn vocabulary_must_match_the_embedding() {
    let labels = with_labels(json!({}));
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
        "the tokenizer \"words\" never produces 1 of the tokens: \"Free!\"",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    assert_eq!(imported.model.config().vocab_size, 12);
    let numbered = with_labels(json!({"pad": 4, "unk": 1}));
    let imported = Files::new(state_dict("plain"), &numbered, &odd.join("\n")).import().unwrap();
    assert_eq!(imported.model.config().vocab_size, 10);
}

#[test]
fn tokenizer_json_and_json_objects_of_ids_are_read() {
    let golden = golden();
    let files = Files::of("plain", golden.models[0].settings.clone());
    let logits = files.import().unwrap().model.logits("free lunch !!");
    let ids: serde_json::Map<String, Value> =
        golden.vocab.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let path = files.path("t.json");
    let import = |json: Value| {
        fs::write(&path, json.to_string()).unwrap();
        import(&files.path("weights.safetensors"), &files.path("c.json"), Some(&path))
    };
    let tokenizer = |normalizer: &str| {
        json!({
            "normalizer": {"type": normalizer},
            "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "vocab": ids, "unk_token": "<unk>"},
        })
    };
    assert_eq!(import(tokenizer("Lowercase")).unwrap().model.logits("free lunch !!"), logits);
    assert_eq!(import(ids.clone().into()).unwrap().model.logits("free lunch !!"), logits);
    let error = import(tokenizer("NFC")).unwrap_err().to_string();
    assert!(error.contains("none of Tern's tokenizers splits text like this, expected for"), "{error}");
    let error = import(json!({"a": 0, "b": 0})).unwrap_err().to_string();
    assert!(error.contains("token \"b\" has id 0, expected each id below 2 once"), "{error}");
}

#[test]
fn setting_tokenizer_determines_how_text_is_split() {
    let vocab = golden().vocab.join("\n");
    let tokens = |tokenizer: &str| {
        let settings = with_labels(json!({"tokenizer": tokenizer}));
        let model = Files::new(state_dict("plain"), &settings, &vocab).import().unwrap().model;
        assert_eq!(model.config().tokenizer, tokenizer);
        model.vocabulary().encode("prize!! Free")
    };
    assert_eq!(tokens("words"), [4, 7, 3]);
    assert_eq!(tokens("whitespace"), [1, 3]);
    assert_eq!(tokens("words_cased"), [4, 7, 1]);
}

/// A safetensors file with `input_ids` and `logits` of equally long texts.
fn check_file(path: &Path, ids: &[Vec<i64>], logits: &[Vec<f32>]) {
    let id_bytes: Vec<u8> = ids.iter().flatten().flat_map(|id| id.to_le_bytes()).collect();
    let logit_bytes: Vec<u8> = logits.iter().flatten().flat_map(|logit| logit.to_le_bytes()).collect();
    let views = [
        ("input_ids", TensorView::new(Dtype::I64, vec![ids.len(), ids[0].len()], &id_bytes).unwrap()),
        ("logits", TensorView::new(Dtype::F32, vec![logits.len(), logits[0].len()], &logit_bytes).unwrap()),
    ];
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The rows of a linear layer applied to `x`.
fn linear(weights: &Weights, name: &str, x: &[f32]) -> Vec<f32> {
    let (weight, bias) = (&weights[&format!("{name}.weight")].data, &weights[&format!("{name}.bias")].data);
    let rows = weight.chunks_exact(x.len()).zip(bias);
    rows.map(|(row, bias)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + bias).collect()
}

/// Imports a golden model and returns it with token ids in its numbering and their trace.
fn imported(index: usize) -> (Files, Imported, Vec<i64>, Trace) {
    let golden = golden();
    let GoldenModel { name, settings, .. } = &golden.models[index];
    let files = Files::of(name, settings.clone());
    let imported = files.import().unwrap();
    let ids = vec![2, 3, 0, 5, 9, 1];
    let ours: Vec<u32> = ids.iter().map(|&id| imported.id_of_row(id as usize).unwrap()).collect();
    let trace = imported.model.network().trace(Input::Tokens(&ours));
    (files, imported, ids, trace)
}

#[test]
fn logits_of_the_assumed_forward_pass_pass_the_check() {
    for index in 0..3 {
        let (files, imported, ids, trace) = imported(index);
        let weights = imported.model.weights();
        let mut x = trace.head_input.clone();
        if imported.recognised.head.len() == 2 {
            x = linear(weights, "hidden", &x).into_iter().map(|v| v.max(0.0)).collect();
        }
        let path = files.path("check.safetensors");
        check_file(&path, &[ids], &[linear(weights, "fc", &x)]);
        let (texts, difference) = check(&path, &imported).unwrap();
        assert!(texts == 1 && difference < 1e-4, "{difference}");
    }
}

#[test]
fn logits_of_other_forward_passes_fail_the_check() {
    let fails = |files: &Files, imported: &Imported, ids: &[i64], logits: Vec<f32>| {
        let path = files.path("check.safetensors");
        check_file(&path, &[ids.to_vec()], &[logits]);
        let error = check(&path, imported).unwrap_err().to_string();
        assert!(error.contains("1 of 1 texts have other logits; the first is output 0 of text 0"), "{error}");
        assert!(error.contains("x = self."), "{error}");
    };
    // tanh in place of ReLU in the head.
    let (files, nested, ids, trace) = imported(1);
    let weights = nested.model.weights();
    let hidden: Vec<f32> = linear(weights, "hidden", &trace.head_input).into_iter().map(f32::tanh).collect();
    fails(&files, &nested, &ids, linear(weights, "fc", &hidden));
    // out[:, -1] of a bidirectional layer: the reverse direction's state after a single step.
    let (files, both, ids, trace) = imported(2);
    let n = both.model.config().hidden_size;
    let last: Vec<f32> = trace.states[0].iter().flat_map(|states| states[states.len() - n..].to_vec()).collect();
    fails(&files, &both, &ids, linear(both.model.weights(), "fc", &last));
    // Attention over the states in place of the final one.
    let (files, plain, ids, trace) = imported(0);
    let (states, n) = (&trace.states[0][0], plain.model.config().hidden_size);
    let scores: Vec<f32> = states
        .chunks_exact(n)
        .map(|state| state.iter().zip(&trace.head_input).map(|(a, b)| a * b).sum::<f32>().exp())
        .collect();
    let total: f32 = scores.iter().sum();
    let attended: Vec<f32> = (0..n)
        .map(|unit| states.chunks_exact(n).zip(&scores).map(|(state, score)| state[unit] * score / total).sum())
        .collect();
    fails(&files, &plain, &ids, linear(plain.model.weights(), "fc", &attended));
}

#[test]
fn linear_layer_before_the_recurrent_one_fails_the_check() {
    // Embedding, Linear(2, 2), RNN of 2 units, Linear(2, 2): imported as a head of two layers.
    let tensors: [(&str, &[usize]); 7] = [
        ("emb.weight", &[4, 2]),
        ("fc.bias", &[2]),
        ("fc.weight", &[2, 2]),
        ("project.bias", &[2]),
        ("project.weight", &[2, 2]),
        ("rnn.weight_hh_l0", &[2, 2]),
        ("rnn.weight_ih_l0", &[2, 2]),
    ];
    let files = Files::new(&ones(&tensors), &two_labels(), FOUR_TOKENS);
    let imported = files.import().unwrap();
    assert_eq!(imported.recognised.head.len(), 2);
    // All weights are 1: x = 1 + 1 + 1 after the projection, then h = tanh(2x), logits = 2h + 1.
    let h = (2.0f32 * 3.0).tanh();
    let path = files.path("check.safetensors");
    check_file(&path, &[vec![2]], &[vec![2.0 * h + 1.0; 2]]);
    let error = check(&path, &imported).unwrap_err().to_string();
    assert!(error.contains("have other logits") && error.contains("pooled = torch.relu(self."), "{error}");
}

#[test]
fn assumed_forward_pass_is_printed_as_pytorch() {
    let lines = |index| imported(index).1.recognised.pytorch();
    assert_eq!(
        lines(0),
        ["x = self.embedding(ids)", "output, (h_n, _) = self.lstm(x)", "pooled = h_n[-1]", "logits = self.fc(pooled)"]
    );
    assert_eq!(
        lines(1),
        [
            "x = self.encoder.embed(ids)",
            "output, h_n = self.encoder.rnn(x)",
            "pooled = torch.cat([output.mean(dim=1), output.amax(dim=1)], dim=1)",
            "pooled = torch.relu(self.classifier[0](pooled))",
            "logits = self.classifier[2](pooled)",
        ]
    );
    assert_eq!(lines(2)[2], "pooled = torch.cat([h_n[-2], h_n[-1]], dim=1)");
    let words = imported(1).1.recognised.describe();
    assert!(words.contains("`classifier.0`, ReLU, `classifier.2`"), "{words}");
}

#[test]
fn files_of_expected_logits_are_checked() {
    let (files, imported, ids, _) = imported(0);
    let path = files.path("check.safetensors");
    let error = |ids: &[Vec<i64>], logits: &[Vec<f32>]| {
        check_file(&path, ids, logits);
        check(&path, &imported).unwrap_err().to_string()
    };
    let rows = error(std::slice::from_ref(&ids), &[vec![0.0; 2]]);
    assert!(rows.contains("tensor `logits` is [1, 2] F32, expected [1, 3] F32"), "{rows}");
    let large = error(&[vec![10]], &[vec![0.0; 3]]);
    assert!(large.contains("text 0 of `input_ids` is [10], expected ids below 10"), "{large}");
    let nan = error(&[ids], &[vec![f32::NAN; 3]]);
    assert!(nan.contains("have other logits"), "{nan}");
    fs::write(&path, ones(&[("logits", &[1, 3])])).unwrap();
    let missing = check(&path, &imported).unwrap_err().to_string();
    assert!(missing.contains("no tensor `input_ids`, expected `input_ids` [texts, steps]"), "{missing}");
}

#[test]
fn unknown_words_may_share_the_row_of_the_padding() {
    let vocab = "<pad>\nfree\nlunch\nnow\n";
    let settings = json!({"labels": ["a", "b"], "pad": 0, "unk": 0});
    let imported = Files::new(&ones(&SMALL), &settings, vocab).import().unwrap();
    let tokens = imported.model.vocabulary().tokens();
    assert_eq!(tokens, ["[PAD]", "[UNK]", "free", "lunch", "now"]);
    let notes = imported.notes.join("\n");
    assert!(notes.contains("unknown words share row 0 of the embedding with the padding"), "{notes}");
    // An unknown word has the logits of row 0.
    let network = imported.model.network();
    assert_eq!(imported.id_of_row(0), Some(1));
    assert_eq!(imported.model.logits("dinner"), network.logits(&[1]));
    assert_eq!(imported.model.weights()["embedding.weight"].data[2..4], [1.0, 1.0]);
}

#[test]
fn cell_with_one_bias_is_imported_with_one() {
    let small = [&SMALL[..], &[("lstm.bias_ih_l0", &[12][..])]].concat();
    let imported = Files::new(&ones(&small), &two_labels(), FOUR_TOKENS).import().unwrap();
    assert_eq!(imported.model.config().recurrent_biases, 1);
    assert!(imported.model.weights().get("lstm.bias_hh_l0").is_none());
}

/// Settings of the golden network `values`, which reads two numbers a step.
fn value_settings() -> Value {
    let channels = json!([{"name": "left", "mean": 3.0, "std": 0.5}, {"name": "right"}]);
    with_labels(json!({"pooling": "max", "channels": channels}))
}

#[test]
fn networks_that_read_numbers_give_pytorchs_logits() {
    let files = Files::new(state_dict("values"), &value_settings(), "");
    let import = |vocab: Option<&Path>| import(&files.path("weights.safetensors"), &files.path("c.json"), vocab);
    let imported = import(None).unwrap();
    let config = imported.model.config();
    assert_eq!(
        (config.cell, config.hidden_size, config.channel_names().join(" ")),
        (Cell::Gru, 4, "left right".into())
    );
    assert_eq!((config.channels[0].mean, config.channels[0].std, config.channels[1].std), (3.0, 0.5, 1.0));
    assert_eq!(imported.recognised.pytorch()[0], "output, h_n = self.gru(x)");
    let golden = include_bytes!("golden/values-check.safetensors");
    let path = files.path("check.safetensors");
    fs::write(&path, golden).unwrap();
    let (sequences, difference) = check(&path, &imported).unwrap();
    assert!(sequences == 3 && difference < 1e-5, "{difference}");
    let mut changed = golden.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&path, changed).unwrap();
    let error = check(&path, &imported).unwrap_err().to_string();
    assert!(error.contains("1 of 3 sequences have other logits; the first is output 2 of sequence 2"), "{error}");
    let dir = files.path("model");
    fs::create_dir(&dir).unwrap();
    imported.model.save(&dir).unwrap();
    assert_eq!(FloatModel::load(&dir).unwrap().weights(), imported.model.weights());

    let error = import(Some(&files.path("vocab.txt"))).unwrap_err().to_string();
    assert!(error.contains("vocab.txt: not needed: the [[channels]] of"), "{error}");
}

#[test]
fn channels_that_do_not_fit_are_refused() {
    let with = |key: &str, value: Value| {
        let mut settings = value_settings();
        settings[key] = value;
        let files = Files::new(state_dict("values"), &settings, "");
        import(&files.path("weights.safetensors"), &files.path("c.json"), None).unwrap_err().to_string()
    };
    for (key, value, expected) in [
        (
            "channels",
            json!([{"name": "left"}]),
            "tensor `gru.weight_ih_l0` reads 2 numbers a step, expected 1, one for",
        ),
        ("channels", json!([{"name": "a", "std": 0.0}, {"name": "b"}]), "channel \"a\" has mean 0 and std 0"),
        ("channels", json!([]), "no embedding, expected `embedding.weight`"),
        ("pad", json!(0), "`pad` is for networks that read tokens; remove it, or remove [[channels]]"),
        ("pooling", json!("mean_max"), "tensor `fc.weight` is [3, 4], expected [3, 8]"),
    ] {
        let error = with(key, value);
        assert!(error.contains(expected), "{error}");
    }
    let files = Files::of("plain", with_labels(json!({})));
    let error = import(&files.path("weights.safetensors"), &files.path("c.json"), None).unwrap_err().to_string();
    assert!(
        error.contains("no [[channels]], so the network reads tokens: name the list of tokens with --vocab"),
        "{error}"
    );
}

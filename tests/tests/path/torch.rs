//! Tern's float models load into torch.nn.RNN, GRU and LSTM and give the same logits; models that PyTorch saves run in
//! Tern.
//!
//! PyTorch is too large for the set-up of every change, so these tests are ignored by default. `TERN_PYTHON` names a
//! Python with PyTorch and safetensors; without it, `python3` is used:
//!
//!     TERN_PYTHON=venv/bin/python cargo test -p tern-tests --test path torch -- --ignored

use std::fs;
use std::process::Command;

use tern_tests::{argument, folder, json, table, text_of, train};

/// Loads a model directory into modules of PyTorch and prints the logits of the texts in its second argument.
const SCRIPT: &str = r#"
import json, sys, torch
from safetensors.torch import load_file
from torch import nn
directory, texts = sys.argv[1], json.loads(sys.argv[2])
config = json.load(open(directory + "/config.json"))
vocab = json.load(open(directory + "/tokenizer.json"))["model"]["vocab"]
cell = config["cell"]
module = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN, "rnn_relu": nn.RNN}[cell]
options = {"nonlinearity": "relu"} if cell == "rnn_relu" else {}
directions = 2 if config["bidirectional"] else 1
model = nn.Module()
model.embedding_dim = nn.Embedding(config["vocab_size"], config["embedding_dim"], padding_idx=0)
recurrent = module(config["embedding_dim"], config["hidden_size"], config["num_layers"], batch_first=True,
                   bidirectional=config["bidirectional"], **options)
setattr(model, cell.split("_")[0], recurrent)
model.fc = nn.Linear(directions * config["hidden_size"], len(config["labels"]))
print(model.load_state_dict(load_file(directory + "/model.safetensors"), strict=True), file=sys.stderr)
logits = []
with torch.no_grad():
    for text in texts:
        ids = torch.tensor([[vocab.get(word, vocab["[UNK]"]) for word in text.split()]])
        _, state = recurrent(model.embedding(ids))
        h_n = state[0] if cell == "lstm" else state
        read = torch.cat([h_n[-2], h_n[-1]], dim=1) if directions == 2 else h_n[-1]
        logits.append(model.fc(read)[0].tolist())
print(json.dumps(logits))
"#;

/// Trains a model in PyTorch and saves its state_dict, the tokens and the labels.
const TRAIN: &str = r#"
import collections, csv, sys, torch
from safetensors.torch import save_file
from torch import nn
data, folder = sys.argv[1:]
torch.manual_seed(1)
torch.set_num_threads(1)
rows = [(row["text"].lower().split(), row["label"]) for row in csv.DictReader(open(data, encoding="utf-8"))]
labels = sorted({label for _, label in rows})
counts = collections.Counter(word for words, _ in rows for word in words)
vocab = ["<unk>", "<pad>"] + [word for word, _ in counts.most_common(800)]
ids = {word: index for index, word in enumerate(vocab)}

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.word_embeddings = nn.Embedding(len(vocab), 16, padding_idx=1)
        self.encoder = nn.LSTM(16, 24, batch_first=True)
        self.score = nn.Linear(24, len(labels))

    def forward(self, batch):
        packed = nn.utils.rnn.pack_sequence([self.word_embeddings(text) for text in batch], enforce_sorted=False)
        return self.score(self.encoder(packed)[1][0][-1])

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
texts = [torch.tensor([ids.get(word, 0) for word in words]) for words, _ in rows]
targets = torch.tensor([labels.index(label) for _, label in rows])
for epoch in range(4):
    for batch in torch.randperm(len(texts)).split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model([texts[i] for i in batch]), targets[batch]).backward()
        optimizer.step()
save_file(model.state_dict(), folder + "/weights.safetensors")
open(folder + "/vocab.txt", "w").write("\n".join(vocab) + "\n")
open(folder + "/c.toml", "w").write(f"labels = {labels}\ntokenizer = 'whitespace'\n")
with torch.no_grad():
    print((model(texts).argmax(1) == targets).float().mean().item())
"#;

/// Returns a Python with PyTorch.
fn python() -> String {
    let python = std::env::var("TERN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let (status, _, log) = text_of(Command::new(&python).args(["-c", "import torch, safetensors.torch"]));
    assert_eq!(status, Some(0), "{python} has no PyTorch and safetensors; set TERN_PYTHON to one that has\n{log}");
    python
}

#[test]
#[ignore = "needs PyTorch; see the head of this file"]
fn a_model_of_tern_loads_into_pytorch_and_gives_the_same_logits() {
    let python = python();
    let folder = folder("torch");
    let data = folder.join("messages.csv");
    fs::write(&data, table(200)).unwrap();
    let texts = ["fire in the hall", "water on floor two", "the nobodyknows is", "no"];
    for (cell, layers, bidirectional) in [
        ("lstm", "1", "false"),
        ("lstm", "2", "true"),
        ("gru", "2", "false"),
        ("gru", "1", "true"),
        ("rnn", "2", "true"),
        ("rnn_relu", "1", "false"),
    ] {
        let directory = folder.join(format!("{cell}-{layers}-{bidirectional}"));
        let options = format!(
            "--cell {cell} --num-layers {layers} --bidirectional={bidirectional} --pooling last --hidden-size 7 \
             --embedding-dim 5 --epochs 1 --no-baselines"
        );
        train(&data, &directory, &options.split(' ').collect::<Vec<_>>());
        let texts_json = serde_json::to_string(&texts).unwrap();
        let (status, stdout, log) =
            text_of(Command::new(&python).args(["-c", SCRIPT, argument(&directory), &texts_json]));
        assert_eq!(status, Some(0), "{log}");
        assert!(log.contains("All keys matched successfully"), "{log}");
        let theirs: Vec<Vec<f64>> = serde_json::from_str(&stdout).unwrap();
        for (text, theirs) in texts.iter().zip(theirs) {
            let ours = json(&["predict", argument(&directory), "--json", text]);
            let ours: Vec<f64> = serde_json::from_value(ours["logits"].clone()).unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-5, "{cell}, {layers} layers, {text}: {ours} and {theirs}");
            }
        }
    }
}

#[test]
#[ignore = "needs PyTorch; see the head of this file"]
fn a_model_of_pytorch_is_imported_evaluated_and_exported() {
    let python = python();
    let folder = folder("torch-import");
    let data = folder.join("messages.csv");
    fs::write(&data, table(1200)).unwrap();
    let (status, stdout, log) = text_of(Command::new(&python).args(["-c", TRAIN, argument(&data), argument(&folder)]));
    assert_eq!(status, Some(0), "{log}");
    let theirs: f64 = stdout.trim().parse().unwrap();
    assert!(theirs > 0.5, "PyTorch's own accuracy is only {theirs}");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (model, device) = (path("model"), path("device.safetensors"));
    let data = argument(&data);
    let files = [path("weights.safetensors"), path("c.toml"), path("vocab.txt")];
    let [weights, config, vocabulary] = files.each_ref().map(String::as_str);
    let source = ["import", weights, "--config", config, "--vocab", vocabulary];
    let import = json(&[&source[..], &["-o", &model, "--data", data, "--valid", data, "--json"]].concat());
    assert_eq!(import["config"]["hidden_size"], 24);
    let float = json(&["eval", &model, "--data", data, "--json"]);
    assert!((float["accuracy"].as_f64().unwrap() - theirs).abs() < 1e-6, "{float} and {theirs}");
    json(&["export", &model, "-o", &device, "--json"]);
    let integer = json(&["eval", &device, "--data", data, "--json"]);
    assert!((integer["accuracy"].as_f64().unwrap() - theirs).abs() < 0.01, "{integer} and {theirs}");
}

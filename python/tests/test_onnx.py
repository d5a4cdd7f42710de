"""Networks in ONNX, out and in."""

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import walks

import tern


def run_onnx(path, model, text):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ids, ngrams = model.encode(text)
    values = {"ids": np.array(ids, dtype=np.int64), "ngrams": np.array(ngrams, dtype=np.int64)}
    return session.run(["logits"], {item.name: values[item.name] for item in session.get_inputs()})[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ngram_buckets": 0},
        {"num_layers": 0},
        {"cell": "gru", "num_layers": 2, "bidirectional": True, "pooling": "mean_max", "ngram_buckets": 0},
        {"cell": "rnn_relu", "bidirectional": True, "merge": "product", "pooling": "max", "ngram_buckets": 0},
        {"cell": "rnn", "bidirectional": True, "merge": "mean", "ngram_buckets": 0, "head_hidden": 5},
        {"recurrent_biases": 1, "pooling": "mean", "merge": "sum", "bidirectional": True, "ngram_buckets": 0},
    ],
    ids=str,
)
def test_models_of_tern_in_onnx_and_back(settings, pairs, tmp_path):
    small = {"epochs": 1, "hidden_size": 6, "embedding_dim": 5, "ngram_buckets": 64, "baselines": False}
    model = tern.train(pairs, **{**small, **settings})
    path = model.to_onnx(tmp_path / "m.onnx")
    for text, _ in pairs[:5]:
        assert np.allclose(run_onnx(path, model, text), model.logits(text), atol=1e-5)
    if settings.get("ngram_buckets") == 0:
        vocab = {token: row for row, token in enumerate(model.tokens)}
        again = tern.from_onnx(path, labels=model.labels, vocab=vocab)
        texts = [text for text, _ in pairs[:5]]
        assert np.allclose(again.logits(texts), model.logits(texts), atol=1e-5)
        assert again.config["pooling"] == model.config["pooling"]


def test_numbers_and_sigmoid_in_onnx(walker, pairs, tmp_path):
    inputs, labels = walks(10)
    path = walker.to_onnx(tmp_path / "m.onnx")
    channels = walker.config["channels"]
    mean, std = [np.array([channel[key] for channel in channels]) for key in ["mean", "std"]]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for item in inputs:
        (logits,) = session.run(["logits"], {"values": ((item - mean) / std).astype(np.float32)})
        assert np.allclose(logits, walker.logits(item), atol=1e-5)
    again = tern.from_onnx(path, labels=walker.labels, channels=channels)
    assert np.allclose(again.logits(inputs), walker.logits(inputs), atol=1e-5)
    two = [pair for pair in pairs if pair[1] != "status"]
    sigmoid = tern.train(two, model_output="sigmoid", ngram_buckets=0, hidden_size=4, epochs=1, folds=1)
    path = sigmoid.to_onnx(tmp_path / "s.onnx")
    assert np.allclose(run_onnx(path, sigmoid, "fire lamp"), sigmoid.logits("fire lamp"), atol=1e-5)


def test_onnx_operators_that_cannot_be_expressed_are_named(pairs, tmp_path):
    small = {"epochs": 1, "hidden_size": 6, "embedding_dim": 5, "ngram_buckets": 0, "baselines": False}
    model = tern.train(pairs, cell="gru", **small)
    made = onnx.load(model.to_onnx(tmp_path / "m.onnx"))
    gru = next(node for node in made.graph.node if node.op_type == "GRU")
    vocab = model.tokens
    for change, expected in [
        (lambda: next(item for item in gru.attribute if item.name == "linear_before_reset").__setattr__("i", 0),
         "has linear_before_reset=0, expected 1"),
        (lambda: gru.attribute.append(onnx.helper.make_attribute("activations", ["HardSigmoid", "Tanh"])),
         "has the activations HardSigmoid, Tanh, expected Sigmoid, Tanh"),
        (lambda: made.graph.node.append(onnx.helper.make_node("Erf", ["logits"], ["e"])), "the operators Erf are not"),
    ]:  # fmt: skip
        change()
        onnx.save(made, tmp_path / "changed.onnx")
        with pytest.raises(tern.TernError) as raised:
            tern.from_onnx(tmp_path / "changed.onnx", labels=model.labels, vocab=vocab, output=tmp_path / "x")
        assert expected in str(raised.value)
        assert not (tmp_path / "x").exists()

"""Networks of Keras and ONNX, in and out."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import WORDS, walks
from keras import layers

import tern

VOCAB = ["", "[UNK]", *(word for words in WORDS.values() for word in words)]
LABELS = ["a", "b", "c"]
# JAX compiles a network for each number of steps, so there are few.
SAMPLES = [np.array([2, 5, 9, 0, 14]), np.array([3, 3, 16, 8, 1])]


def keras_model(*parts, channels=None):
    shape = (None, channels) if channels else (None,)
    embedding = [] if channels else [layers.Embedding(len(VOCAB), 6)]
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape=shape), *embedding, *parts])
    for weight in model.weights:
        # Biases begin as zeros, which would hide wrong orders of gates.
        weight.assign(np.random.default_rng(len(weight.shape)).normal(size=weight.shape) * 0.4)
    return model


NETWORKS = {
    "lstm": [layers.LSTM(5), layers.Dense(3)],
    "gru": [layers.GRU(5), layers.Dropout(0.5), layers.Dense(3, activation="softmax")],
    "rnn": [layers.SimpleRNN(5), layers.Dense(3)],
    "rnn_relu": [layers.SimpleRNN(5, activation="relu"), layers.Dense(3)],
    "two_layers": [layers.LSTM(4, return_sequences=True), layers.LSTM(4), layers.Dense(6, "relu"), layers.Dense(3)],
    "both_ways": [layers.Bidirectional(layers.GRU(4)), layers.Dense(3)],
    "stacked_both_ways": [
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(3), merge_mode="sum"),
        layers.Dense(3),
    ],
    "mean": [layers.LSTM(5, return_sequences=True), layers.GlobalAveragePooling1D(), layers.Dense(3)],
    "max": [
        layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="ave"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3),
    ],
    "no_bias": [layers.LSTM(5, use_bias=False), layers.Dense(3, use_bias=False)],
}


def logits_of_keras(model, sample):
    """The logits by the weights of a model whose last layer is linear, or their softmax."""
    return keras.ops.convert_to_numpy(model(sample[np.newaxis], training=False))[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_networks_of_tokens(name):
    parts = [type(part).from_config(part.get_config()) for part in NETWORKS[name]]
    network = keras_model(*parts)
    model = tern.from_keras(network, labels=LABELS, vocab=VOCAB, pad=0, unk=1, samples=SAMPLES)
    words = ["fire", "lamp", "quiet", "smoke", "unheard"]  # as many as a sample has
    ids = np.array([VOCAB.index(word) if word in VOCAB else 1 for word in words])
    expected = logits_of_keras(network, ids)
    found = model.predict_proba(" ".join(words)) if name == "gru" else model.logits(" ".join(words))
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["lstm", "gru", "both_ways", "max"])
def test_keras_networks_of_numbers(name, tmp_path):
    parts = [type(part).from_config(part.get_config()) for part in NETWORKS[name][:-1]]
    network = keras_model(*parts, layers.Dense(2), channels=2)
    inputs, labels = walks(40)
    channels = [{"name": "left", "mean": 0.5, "std": 2.0}, {"name": "right"}]
    model = tern.from_keras(
        network, labels=["down", "up"], channels=channels, samples=inputs[:2], output=tmp_path / "m",
        data=(inputs, labels), valid=(inputs, labels),
    )  # fmt: skip
    scaled = (inputs[0] - [0.5, 0]) / [2.0, 1.0]
    assert np.allclose(model.logits(inputs[0]), logits_of_keras(network, scaled), atol=1e-4)
    device = model.export()
    assert np.abs(device.logits(inputs) - model.logits(inputs)).max() < 0.1
    assert device.report["examples"] == 40


def test_one_output_is_a_sigmoid():
    network = keras_model(layers.GRU(5), layers.Dense(1, activation="sigmoid"))
    model = tern.from_keras(network, labels=["no", "yes"], vocab=VOCAB, pad=0, unk=1, samples=SAMPLES)
    assert np.allclose(model.predict_proba("fire")[1], logits_of_keras(network, np.array([2]))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([layers.Conv1D(4, 3), layers.LSTM(4), layers.Dense(3)], "is a Conv1D; expected Embedding, LSTM"),
        ([layers.GRU(4, reset_after=False), layers.Dense(3)], "has reset_after=False, expected True"),
        ([layers.LSTM(4, recurrent_activation="hard_sigmoid"), layers.Dense(3)], "recurrent_activation='hard_sigmoid'"),
        ([layers.LSTM(4, activation="relu"), layers.Dense(3)], "has activation='relu', expected 'tanh'"),
        ([layers.LSTM(4, go_backwards=True), layers.Dense(3)], "has go_backwards=True, expected False"),
        ([layers.LSTM(4, return_sequences=True), layers.LSTM(5), layers.Dense(3)], "expected LSTM of 4 units"),
        ([layers.LSTM(4), layers.Dense(3, "tanh"), layers.Dense(3)], "has activation='tanh', expected 'relu'"),
        ([layers.LSTM(4), layers.BatchNormalization(), layers.Dense(3)], "is a BatchNormalization; expected"),
        ([layers.Dense(3)], "0 recurrent and 1 Dense layers; expected"),
    ],
)
def test_keras_layers_that_cannot_be_expressed_are_named(parts, expected, tmp_path):
    parts = [type(part).from_config(part.get_config()) for part in parts]
    with pytest.raises(tern.TernError) as raised:
        tern.from_keras(keras_model(*parts), labels=LABELS, vocab=VOCAB, output=tmp_path / "m")
    assert expected in str(raised.value)
    assert list(tmp_path.iterdir()) == []


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


def test_other_logits_are_refused(tmp_path):
    network = keras_model(layers.LSTM(5), layers.Dense(3))
    # The states of all steps in place of the last one.
    from tern._keras import convert

    converted, logits = convert(network)
    with pytest.raises(tern.TernError, match="texts have other logits"):
        converted.write(
            lambda sample: logits(sample) + 1, labels=LABELS, vocab=VOCAB, channels=None, samples=None,
            output=tmp_path / "m", data=None, valid=None,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(tern.TernError, match="expected `vocab` for a network that reads tokens, or `channels`"):
        tern.from_keras(network, labels=LABELS)
    with pytest.raises(tern.TernError, match="the token 'x' is in `vocab` twice"):
        tern.from_keras(network, labels=LABELS, vocab=["x", "x"])

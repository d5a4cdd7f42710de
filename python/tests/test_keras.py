"""Networks of Keras."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
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
        ([layers.LSTM(4, return_sequences=True), layers.LSTM(5), layers.Dense(3)], "expected LSTM of 4"),
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


def test_other_logits_are_refused(tmp_path):
    network = keras_model(layers.LSTM(5), layers.Dense(3))
    # The states of all steps in place of the last one.
    from tern._keras import convert

    converted, logits = convert(network)
    with pytest.raises(tern.TernError, match="texts have other logits"):
        converted.write(
            lambda sample: logits(sample) + 1, labels=LABELS, vocab=["[PAD]", *VOCAB[1:]], channels=None, samples=None,
            output=tmp_path / "m", data=None, valid=None,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(tern.TernError, match="expected `vocab` for a network that reads tokens, or `channels`"):
        tern.from_keras(network, labels=LABELS)
    with pytest.raises(tern.TernError, match="the token 'x' is in `vocab` twice"):
        tern.from_keras(network, labels=LABELS, vocab=["x", "x"])

"""Data and models that several tests share."""

import random

import numpy as np
import pytest

import tern

WORDS = {
    "alarm": ["fire", "smoke", "burning", "flames", "evacuate"],
    "request": ["please", "repair", "lamp", "heating", "window"],
    "status": ["normal", "closed", "locked", "fine", "quiet"],
}


# Options, each with the packages that the tests with a marker of the same name need.
OPTIONAL = {"torch": "PyTorch", "trackers": "wandb, mlflow and trackio"}


def pytest_addoption(parser):
    for name, packages in OPTIONAL.items():
        parser.addoption(f"--{name}", action="store_true", help=f"also run the tests that need {packages}")


def pytest_collection_modifyitems(config, items):
    left_out = [name for name in OPTIONAL if not config.getoption(f"--{name}")]
    deselected = [item for item in items if any(item.get_closest_marker(name) for name in left_out)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


def messages(count=360, seed=1):
    """Pairs of a text and its label, generated from a few words."""
    rng = random.Random(seed)
    pairs = []
    for index in range(count):
        label = list(WORDS)[index % len(WORDS)]
        filler = ["the", "in", "room", "floor", "now", str(rng.randint(1, 9))]
        words = rng.choices(filler, k=4) + rng.choices(WORDS[label], k=2)
        rng.shuffle(words)
        pairs.append((" ".join(words), label))
    return pairs


def walks(count=320, seed=1):
    """Sequences of two channels that drift up or down, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.array(["down", "up"])[np.arange(count) % 2]
    drift = np.where(labels == "up", 0.6, -0.6)[:, np.newaxis, np.newaxis]
    return np.cumsum(rng.normal(size=(count, 12, 2)) + drift, axis=1), labels


@pytest.fixture(scope="session")
def pairs():
    return messages()


@pytest.fixture(scope="session")
def model(pairs, tmp_path_factory):
    """A small text classifier."""
    path = tmp_path_factory.mktemp("model") / "messages"
    return tern.train(pairs, output=path, epochs=4, hidden_size=8, embedding_dim=8, ngram_buckets=64, seed=3)


@pytest.fixture(scope="session")
def device(model):
    return model.export()


@pytest.fixture(scope="session")
def walker():
    """A small classifier of sequences of numbers."""
    inputs, labels = walks()
    return tern.train(inputs, labels, epochs=6, hidden_size=8, columns=["left", "right"], seed=1)

"""Networks of PyTorch, Keras and ONNX as models: the weights under PyTorch's names, which `tern import` reads.

Each function runs the network on sample inputs, and writes a model only if Tern computes the same logits.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from . import _tern
from ._data import Data, store
from ._models import Array, Model
from ._tern import TernError

#: The names of the tokens in the order of the embedding's rows, tokens with their rows, or the path of such a list.
Vocab = Sequence[str] | Mapping[str, int] | str | os.PathLike[str]
#: The columns that a network reads: their number, names, or dictionaries with `name`, `mean` and `std`.
Channels = int | Sequence[str | Mapping[str, Any]]

_POOLINGS = ["last", "mean", "max", "mean_max"]
_MERGES = ["concat", "sum", "mean", "product"]
#: Steps of the sample inputs that are made if none are given.
_SAMPLE_STEPS = [1, 2, 5, 11, 23]
#: Modules of PyTorch without parameters that the forward pass of a model may have.
_PLAIN_MODULES = {"Dropout", "Identity", "ReLU", "Softmax", "LogSoftmax", "Sigmoid", "Flatten", "Module"}
_READ_MODULES = {"Embedding", "LSTM", "GRU", "RNN", "Linear"}


class Converted:
    """A network as PyTorch would name its weights, and the settings that the weights do not tell."""

    def __init__(self, weights: Mapping[str, Array], settings: Mapping[str, Any]) -> None:
        self.weights = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in weights.items()}
        self.settings = dict(settings)

    def write(
        self,
        logits: Callable[[Array], Any],
        *,
        labels: Sequence[Any],
        vocab: Vocab | None,
        channels: Channels | None,
        samples: Iterable[Any] | None,
        output: str | os.PathLike[str] | None,
        data: Data,
        valid: Data,
    ) -> Model:
        """Compares the logits of samples and writes the model directory.

        `logits` computes those of one sample: ids `[steps]`, or values `[steps, channels]`. Where the settings leave
        pooling and merge open, those are taken whose logits are closest.
        """
        if (vocab is None) == (channels is None):
            raise TernError("expected `vocab` for a network that reads tokens, or `channels` for one that reads numbers")
        settings = {"labels": [str(label) for label in labels], **self.settings}
        if channels is not None:
            settings["channels"] = _channels(channels)
        inputs = list(samples) if samples is not None else self._samples(len(settings.get("channels", [])))
        arrays = [np.asarray(item) for item in inputs]
        expected = [np.asarray(logits(array), dtype=np.float32).reshape(-1) for array in arrays]
        if len(settings["labels"]) == 2 and expected[0].size == 1:
            settings["output"] = "sigmoid"
        folder = tempfile.TemporaryDirectory(prefix="tern-")
        files = Path(folder.name)
        target = files / "model" if output is None else Path(output)
        save_file(self.weights, files / "weights.safetensors")
        _save_check(files / "check.safetensors", arrays, expected)
        vocab_path = None if vocab is None else _store_vocab(vocab, files / "vocab.json")
        columns: dict[str, Any] = {}
        if channels is not None:
            columns = {"input": "values", "columns": [channel["name"] for channel in settings["channels"]]}
        train_path = None if data is None else store(data, None, files / "data", columns)
        valid_path = None if valid is None else store(valid, None, files / "valid", columns)

        def attempt(choice: Mapping[str, Any], directory: Path) -> float:
            config = {"name": target.name, **settings, **choice}
            (files / "config.json").write_text(json.dumps(config), encoding="utf-8")
            written = _tern.import_model(
                files / "weights.safetensors", files / "config.json", vocab_path, directory, train_path, valid_path,
                files / "check.safetensors",
            )  # fmt: skip
            return float(json.loads(written)["largest_logit_difference"])

        faults, found = [], []
        for index, (pooling, merge) in enumerate(
            itertools.product(_choices("pooling", _POOLINGS, settings), self._merges())
        ):
            choice = {"pooling": pooling, **merge}
            try:
                found.append((attempt(choice, files / f"attempt{index}"), index, choice))
            except TernError as error:
                faults.append(error)
        if not found:
            # Where no forward pass fits, the one that runs is worth more to the user than the sizes of the others.
            raise next((fault for fault in faults if "other logits" in str(fault)), faults[0])
        # Small logits may be within the tolerance for more than one of them.
        attempt(min(found)[2], target)
        return Model(target, _folder=folder if output is None else None)

    def _merges(self) -> list[dict[str, Any]]:
        if not any(name.endswith("_reverse") for name in self.weights) or "merge" in self.settings:
            return [{}]
        return [{"merge": merge} for merge in _MERGES]

    def _samples(self, channels: int) -> list[Array]:
        random = np.random.default_rng(1)
        if channels:
            return [random.standard_normal((steps, channels)).astype(np.float32) for steps in _SAMPLE_STEPS]
        embeddings = [array for name, array in self.weights.items() if "emb" in name.lower() and array.ndim == 2]
        rows = embeddings[0].shape[0] if embeddings else 2
        return [random.integers(0, rows, steps) for steps in _SAMPLE_STEPS]


def _choices(key: str, values: list[str], settings: Mapping[str, Any]) -> list[str]:
    return [settings[key]] if key in settings else values


def _channels(channels: Channels) -> list[dict[str, Any]]:
    if isinstance(channels, int):
        channels = [f"x{index}" for index in range(channels)]
    return [{"name": channel} if isinstance(channel, str) else dict(channel) for channel in channels]


def _store_vocab(vocab: Vocab, path: Path) -> str | os.PathLike[str]:
    if isinstance(vocab, (str, os.PathLike)):
        return vocab
    rows = dict(vocab) if isinstance(vocab, Mapping) else {token: row for row, token in enumerate(vocab)}
    if len(rows) < len(vocab):
        seen: set[str] = set()
        twice = next(token for token in vocab if token in seen or seen.add(token))  # type: ignore[func-returns-value]
        raise TernError(f"the token {twice!r} is in `vocab` twice, expected each token once")
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def _save_check(path: Path, inputs: list[Array], logits: list[Array]) -> None:
    """Pads the samples to equal lengths and writes them with their lengths and logits."""
    lengths = np.array([len(item) for item in inputs], dtype=np.int64)
    reads_values = inputs[0].ndim == 2
    kind = np.float32 if reads_values else np.int64
    padded = np.zeros((len(inputs), int(lengths.max()), *inputs[0].shape[1:]), dtype=kind)
    for row, item in zip(padded, inputs):
        row[: len(item)] = item
    name = "inputs" if reads_values else "input_ids"
    save_file({name: padded, "lengths": lengths, "logits": np.stack(logits)}, path)


def from_torch(
    module: Any,
    *,
    labels: Sequence[Any],
    vocab: Vocab | None = None,
    channels: Channels | None = None,
    samples: Iterable[Any] | None = None,
    forward: Callable[[Any], Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    data: Data = None,
    valid: Data = None,
    **settings: Any,
) -> Model:
    """Makes a model of a classifier in PyTorch: an Embedding unless it reads numbers, an LSTM, GRU or RNN, and one or two
    Linear with ReLU between them.

    The module is called with ids `[1, steps]`, or with numbers `[1, steps, channels]`, and returns logits `[1, labels]`,
    or `[1, 1]` for a sigmoid; otherwise `forward` takes its place. `samples` are ids or arrays for the comparison,
    random ones by default. Pooling and merge are found by it. `data` are training data, from which an export measures
    ranges of activations; `valid` are validation data. Further settings are those of the configuration of `tern import`:
    `tokenizer`, `pad`, `unk`, `rename`, `ignore`.
    """
    import torch

    refused = [
        f"`{name}` is a {type(part).__name__}"
        for name, part in module.named_modules()
        if type(part).__module__.startswith("torch.nn") and type(part).__name__ not in _READ_MODULES | _PLAIN_MODULES
        and any(True for _ in part.parameters(recurse=False))
    ]  # fmt: skip
    if refused:
        expected = "expected an Embedding, one LSTM, GRU or RNN, and one or two Linear"
        raise TernError(f"{', '.join(refused)}: Tern has no such layer; {expected}")
    relu = [part for part in module.modules() if type(part) is torch.nn.RNN and part.nonlinearity == "relu"]
    if relu:
        settings = {"cell": "rnn_relu", **settings}
    weights = {name: tensor.detach().cpu().float().numpy() for name, tensor in module.state_dict().items()}
    run = module if forward is None else forward
    was_training = module.training

    def logits(sample: Array) -> Any:
        tensor = torch.from_numpy(np.ascontiguousarray(sample))
        with torch.no_grad():
            return run(tensor.unsqueeze(0).to(next(module.parameters()).device)).cpu().float().numpy()

    module.eval()
    try:
        return Converted(weights, settings).write(
            logits, labels=labels, vocab=vocab, channels=channels, samples=samples, output=output, data=data, valid=valid
        )
    finally:
        module.train(was_training)


def from_keras(
    model: Any,
    *,
    labels: Sequence[Any],
    vocab: Vocab | None = None,
    channels: Channels | None = None,
    samples: Iterable[Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    data: Data = None,
    valid: Data = None,
    **settings: Any,
) -> Model:
    """Makes a model of a classifier in Keras 3: a chain of an Embedding unless it reads numbers, LSTM, GRU or SimpleRNN
    layers, bidirectional or not, global pooling if all steps are returned, and one or two Dense. The arguments are those
    of `from_torch`.
    """
    from ._keras import convert

    converted, logits = convert(model)
    converted.settings.update(settings)
    return converted.write(
        logits, labels=labels, vocab=vocab, channels=channels, samples=samples, output=output, data=data, valid=valid
    )


def from_onnx(
    path: str | os.PathLike[str],
    *,
    labels: Sequence[Any],
    vocab: Vocab | None = None,
    channels: Channels | None = None,
    samples: Iterable[Any] | None = None,
    batch_first: bool = True,
    output: str | os.PathLike[str] | None = None,
    data: Data = None,
    valid: Data = None,
    **settings: Any,
) -> Model:
    """Makes a model of a classifier in an ONNX file: Gather unless it reads numbers, LSTM, GRU or RNN, and one or two
    Gemm or MatMul. Needs the packages `onnx` and `onnxruntime`, which computes the logits. An input with a batch has it
    first or second; the other arguments are those of `from_torch`.
    """
    from ._onnx import read

    converted, logits = read(Path(path), batch_first)
    converted.settings.update(settings)
    return converted.write(
        logits, labels=labels, vocab=vocab, channels=channels, samples=samples, output=output, data=data, valid=valid
    )

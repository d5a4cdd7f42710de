"""Trained models: in floats, and in the integers of a device."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from . import _tern
from ._data import Data, is_frame, sequence, store
from ._tern import TernError

Array = np.ndarray[Any, np.dtype[Any]]


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


class _Predictor:
    """The methods that a model directory and a device file share."""

    path: Path
    _native: _tern.Model

    @property
    def config(self) -> dict[str, Any]:
        """Task, sizes, labels, channels: the content of `config.json`."""
        return dict(json.loads(self._native.config))

    @property
    def labels(self) -> list[str]:
        """The labels of a classifier, in the order of the logits and probabilities."""
        return list(self.config.get("labels", []))

    @property
    def tokens(self) -> list[str]:
        """The vocabulary, in the order of the ids."""
        return self._native.tokens

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """The ids of a text's tokens, and the buckets of its n-grams."""
        return self._native.encode(text)

    def predict(self, inputs: Any) -> Any:
        """The label of a text or of a sequence `[steps, channels]`; an array of labels for a list of them.

        The label is None where the device answers "unknown input" or refuses. A forecast reads a series
        `[rows, channels]` and predicts `[horizon, targets]`.
        """
        if self.config["task"] == "forecast":
            return self._forecast(inputs)
        many, logits, answered = self._classify(inputs)
        labels = self.labels
        found = [labels[row.argmax()] if known else None for row, known in zip(logits, answered)]
        return np.array(found, dtype=object) if many else found[0]

    def predict_proba(self, inputs: Any) -> Array:
        """The probability of each label, `[labels]`, or `[inputs, labels]` for a list of inputs."""
        many, logits, _ = self._classify(inputs)
        probabilities = _softmax(logits)
        return probabilities if many else np.asarray(probabilities[0])

    def logits(self, inputs: Any) -> Array:
        """The logits in nats, `[labels]`, or `[inputs, labels]` for a list of inputs."""
        many, logits, _ = self._classify(inputs)
        return logits if many else np.asarray(logits[0])

    def evaluate(
        self, data: Data, labels: Any = None, *, text_column: str | None = None, label_column: str | None = None
    ) -> dict[str, Any]:
        """Measures the model on labelled data, a text or a time series, as `tern eval --json` does."""
        config = self.config
        settings: dict[str, Any] = {"task": config["task"], "text_column": text_column, "label_column": label_column}
        if config.get("input") == "values":
            settings.update(input="values", columns=[channel["name"] for channel in config["channels"]])
        with tempfile.TemporaryDirectory(prefix="tern-") as folder:
            path = store(data, labels, Path(folder) / "data", settings)
            figures = self._native.evaluate(path, settings.get("text_column"), settings.get("label_column"))
        return dict(json.loads(figures))

    def _classify(self, inputs: Any) -> tuple[bool, Array, list[bool]]:
        """True for several inputs; the logits of each; true for each that the device answers."""
        if self.config.get("input") == "values":
            many, sequences = self._sequences(inputs)
            values = b"".join(item.tobytes() for item in sequences)
            found, answered = self._native.classify_values(values, [len(item) for item in sequences])
        else:
            many = not isinstance(inputs, str)
            found, answered = self._native.classify(list(inputs) if many else [inputs])
        logits = np.frombuffer(found, dtype="<f8").reshape(len(answered), max(len(self.labels), 1))
        return many, logits, answered

    def _sequences(self, inputs: Any) -> tuple[bool, list[Array]]:
        if self.config.get("input") != "values":
            raise TernError("the model reads text, expected str or bytes")
        channels = [channel["name"] for channel in self.config["channels"]]
        if is_frame(inputs):
            inputs = inputs[channels].to_numpy()
        many = not (isinstance(inputs, np.ndarray) and inputs.dtype != object and inputs.ndim < 3)
        sequences = [sequence(item) for item in (inputs if many else [inputs])]
        for item in sequences:
            if item.shape[1] != len(channels):
                expected = f"{len(channels)}, one for each of {', '.join(channels)}"
                raise TernError(f"a sequence has {item.shape[1]} channels, expected {expected}")
        return many, sequences

    def _forecast(self, inputs: Any) -> Array:
        config = self.config
        settings = {"task": "forecast", "columns": [channel["name"] for channel in config["channels"]]}
        with tempfile.TemporaryDirectory(prefix="tern-") as folder:
            path = store(inputs, None, Path(folder) / "series", settings)
            rows = json.loads(self._native.forecast(path))["forecast"]
        return np.array([[row[target] for target in config["forecast"]["targets"]] for row in rows])


class Model(_Predictor):
    """A model in floats: a model directory."""

    def __init__(
        self, path: str | os.PathLike[str], *, _folder: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        self.path = Path(path)
        self._folder = _folder
        self._native = _tern.Model(self.path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Loads a model directory, as `tern train` and `train` write it."""
        return cls(path)

    def save(self, path: str | os.PathLike[str]) -> Model:
        """Copies the model directory to `path`, which must not exist, and returns the model there."""
        target = Path(path)
        if target.exists():
            raise TernError(f"{target}: exists, expected the name of a new directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            shutil.copytree(self.path, Path(folder) / "model")
            os.rename(Path(folder) / "model", target)
        return Model(target)

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the training: the content of `metrics.json`. Empty for an imported model."""
        return self._json("metrics.json")

    @property
    def device(self) -> DeviceModel | None:
        """The device file beside the model directory, as `fit` and `export` without a path write it."""
        return DeviceModel(self._device_path, _folder=self._folder) if self._device_path.is_file() else None

    @property
    def _device_path(self) -> Path:
        return self.path.with_name(self.path.name + ".safetensors")

    def export(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        data: Data = None,
        golden: Iterable[str] | None = None,
        packing: str | None = None,
        embedding_bits: int | None = None,
        recurrent_bits: int | None = None,
        fold: str | int | None = None,
        refuse_share: float | None = None,
        refuse_label: str | None = None,
        c_array: str | os.PathLike[str] | None = None,
    ) -> DeviceModel:
        """Quantises the model and writes the device file, as `tern export` does.

        Without `path` the file is beside the model directory. `data` replaces the validation split for the comparison of
        floats and integers; `golden` are texts for the self-test of the device. `DeviceModel.report` has the figures.
        """
        output = self._device_path if path is None else Path(path)
        settings: dict[str, Any] = {"task": self.config["task"]}
        if self.config.get("input") == "values":
            settings.update(input="values", columns=[channel["name"] for channel in self.config["channels"]])
        with tempfile.TemporaryDirectory(prefix="tern-") as folder:
            stored = None if data is None else store(data, None, Path(folder) / "data", settings)
            texts = None
            if golden is not None:
                texts = Path(folder) / "golden.txt"
                texts.write_text("".join(f"{text}\n" for text in golden), encoding="utf-8")
            size = None if fold is None else str(fold)
            report = _tern.export(
                self.path, output, stored, texts, packing, embedding_bits, recurrent_bits, size, refuse_share,
                refuse_label, c_array,
            )  # fmt: skip
        return DeviceModel(output, _folder=self._folder, _report=json.loads(report))

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Writes the report, one page of HTML, and returns its path: by default `report.html` in the directory."""
        output = self.path / "report.html" if path is None else Path(path)
        _tern.write_report(self.path, output)
        return output

    def to_onnx(self, path: str | os.PathLike[str]) -> Path:
        """Writes the network as an ONNX file, for which the package `onnx` must be installed.

        The inputs are `ids`, int64 `[steps]`, or `values`, float32 `[steps, channels]`, normalised; and `ngrams`, int64
        `[n]`, for a model with an n-gram branch: `encode` gives both. The output is `logits`, float32 `[labels]`.
        """
        from ._onnx import write

        return write(self, Path(path))

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def __repr__(self) -> str:
        return f"Model({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.path.name, "files": {file.name: file.read_bytes() for file in self.path.iterdir()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tern-")
        path = Path(folder.name) / state["name"]
        path.mkdir()
        for name, content in state["files"].items():
            (path / name).write_bytes(content)
        Model.__init__(self, path, _folder=folder)


class DeviceModel(_Predictor):
    """A device file, which runs in integers: the same bits as on a microcontroller."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        _folder: tempfile.TemporaryDirectory[str] | None = None,
        _report: dict[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise TernError(f"{self.path}: a directory, expected a device file as `Model.export` writes it")
        self._folder = _folder
        self._native = _tern.Model(self.path)
        #: The figures of the export that wrote the file; None for a file that was opened.
        self.report: dict[str, Any] | None = _report

    @property
    def file_bytes(self) -> int:
        """The size of the file, all of which is in the flash of the device."""
        return self.path.stat().st_size

    @property
    def scratch_bytes(self) -> int:
        """The bytes of RAM that a session on the device needs."""
        return self._native.scratch_bytes or 0

    def session(self, steps: int = 128) -> Session:
        """Begins to read a text or a sequence in pieces.

        A bidirectional model keeps the first `steps` steps; further ones do not change its outputs. Other models
        ignore `steps`.
        """
        return Session(self, steps)

    def __repr__(self) -> str:
        return f"DeviceModel({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.path.name, "file": self.path.read_bytes(), "report": self.report}

    def __setstate__(self, state: dict[str, Any]) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tern-")
        path = Path(folder.name) / state["name"]
        path.write_bytes(state["file"])
        DeviceModel.__init__(self, path, _folder=folder, _report=state["report"])


class Session:
    """A session of a device file: one text or one sequence, read in pieces."""

    def __init__(self, model: DeviceModel, steps: int) -> None:
        self._model = model
        self._native = model._native.session(steps)

    def feed(self, piece: Any) -> Session:
        """Reads a piece of a text, str or bytes, or steps of a sequence, `[steps, channels]`. Returns the session."""
        if isinstance(piece, (str, bytes)):
            self._native.feed(piece.encode() if isinstance(piece, str) else piece)
        else:
            _, sequences = self._model._sequences(np.asarray(piece, dtype=np.float64))
            for item in sequences:
                self._native.feed_values(item.tobytes())
        return self

    def finish(self) -> Session:
        """Ends a text: its last word is read. Returns the session."""
        self._native.finish()
        return self

    def logits(self) -> Array:
        """The outputs after the steps so far, int32 in Q16: the numbers that the device computes.

        They are logits in nats, or the normalised values of a forecast.
        """
        return np.array(self._native.logits(), dtype=np.int32)

    def predict_proba(self) -> Array:
        """The probability of each label after the steps so far."""
        return _softmax(self.logits() / 65536.0)

    def reset(self) -> Session:
        """Begins a new text or sequence. Returns the session."""
        self._native.reset()
        return self

    @property
    def tokens(self) -> int:
        """The number of tokens or steps so far."""
        return self._native.tokens

    @property
    def unknown(self) -> int:
        """The number of these tokens that are not in the vocabulary."""
        return self._native.unknown

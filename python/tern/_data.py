"""Writes data in memory to the files that the trainer reads."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._tern import TernError

#: A path, a frame, a list of pairs, or inputs whose labels are given apart.
Data = Any


def to_json(settings: Mapping[str, Any]) -> str:
    """Settings as JSON, with paths as texts and NumPy's scalars as numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, (np.generic, np.ndarray)):
            return value.tolist()
        raise TypeError(f"{value!r} is a {type(value).__name__}, expected a number, a text, a path or a list of texts")

    return json.dumps(settings, default=plain)


def is_path(data: Data) -> bool:
    return isinstance(data, (str, os.PathLike))


def is_frame(data: Data) -> bool:
    """True for a data frame of pandas, and of libraries whose frames have the same methods."""
    return hasattr(data, "columns") and hasattr(data, "to_csv")


def store(data: Data, labels: Any, file: Path, settings: dict[str, Any]) -> str:
    """Returns the path of the data: its own if it is one, otherwise that of a new file `file` with an ending.

    Sets `input` in the settings for sequences of numbers, and removes names of columns that the file does not have.
    """
    if is_path(data):
        if labels is not None:
            raise TypeError("labels were given beside the path of a file, expected them in the file")
        return os.fspath(data)
    if is_frame(data):
        if labels is not None:
            raise TypeError("labels were given beside a frame, expected them in its column `label_column`")
        return _store_frame(data, file, settings)
    if settings.get("task") == "forecast":
        return _store_series(data, _with_ending(file, ".csv"), settings.get("columns"))
    inputs, labels = _pairs(data, labels)
    if settings.get("input") != "values" and all(isinstance(item, str) for item in inputs):
        return _store_texts(inputs, labels, _with_ending(file, ".jsonl"))
    settings["input"] = "values"
    return _store_sequences(inputs, labels, _with_ending(file, ".csv"), settings.get("columns"))


def _with_ending(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _pairs(data: Data, labels: Any) -> tuple[list[Any], list[str]]:
    """Inputs and labels, from (inputs, labels) or from a list of pairs."""
    if labels is None and isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str):
        data, labels = data
    if labels is None:
        pairs = [pair if isinstance(pair, (tuple, list)) else None for pair in data]
        if any(pair is None or len(pair) != 2 for pair in pairs):
            raise TypeError("expected pairs (input, label), or inputs and labels as two arguments")
        data, labels = [pair[0] for pair in pairs if pair], [pair[1] for pair in pairs if pair]
    inputs, labels = list(data), [str(label) for label in labels]
    if len(inputs) != len(labels):
        raise TernError(f"{len(inputs)} inputs and {len(labels)} labels, expected one label for each input")
    return inputs, labels


def _store_texts(texts: Iterable[str], labels: Iterable[str], path: Path) -> str:
    with path.open("w", encoding="utf-8") as file:
        for text, label in zip(texts, labels):
            file.write(json.dumps({"text": text, "label": label}) + "\n")
    return str(path)


def _store_frame(frame: Any, file: Path, settings: dict[str, Any]) -> str:
    if settings.get("input") == "values" or settings.get("task") == "forecast":
        path = _with_ending(file, ".csv")
        frame.to_csv(path, index=False)
        return str(path)
    columns = []
    for key, default in [("text_column", "text"), ("label_column", "label")]:
        name = settings.pop(key, None) or default
        if name not in frame.columns:
            found = ", ".join(map(repr, frame.columns))
            raise TernError(f"the frame has no column {name!r}, expected one: the columns are {found}; name it by {key}")
        columns.append([str(item) for item in frame[name]])
    texts, labels = columns
    return _store_texts(texts, labels, _with_ending(file, ".jsonl"))


def sequence(item: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A sequence of numbers as `[steps, channels]`; one number a step makes one channel."""
    array = np.asarray(item, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise TernError(f"a sequence has {array.ndim} dimensions, expected [steps, channels]")
    return np.ascontiguousarray(array)


def _channel_names(names: Iterable[str] | None, width: int) -> list[str]:
    found = list(names) if names else [f"x{index}" for index in range(width)]
    if len(found) != width:
        raise TernError(f"columns names {len(found)} columns, expected {width}, one for each channel")
    return found


def _fields(row: Iterable[float]) -> list[str]:
    return ["NA" if number != number else repr(float(number)) for number in row]


def _store_sequences(inputs: list[Any], labels: list[str], path: Path, names: Iterable[str] | None) -> str:
    sequences = [sequence(item) for item in inputs]
    widths = sorted({item.shape[1] for item in sequences})
    if len(widths) > 1:
        raise TernError(f"the sequences have {widths} channels, expected the same number in all of them")
    empty = next((index for index, item in enumerate(sequences) if len(item) == 0), None)
    if empty is not None:
        raise TernError(f"sequence {empty} has no step, expected one or more")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sequence", "label", *_channel_names(names, widths[0] if widths else 1)])
        for index, (item, label) in enumerate(zip(sequences, labels)):
            writer.writerows([index, label, *_fields(row)] for row in item)
    return str(path)


def _store_series(data: Any, path: Path, names: Iterable[str] | None) -> str:
    series = sequence(data)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_channel_names(names, series.shape[1]))
        writer.writerows(_fields(row) for row in series)
    return str(path)

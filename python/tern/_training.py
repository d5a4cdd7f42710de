"""Training, and the search of a model that fits a device."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import _tern
from ._data import Data, is_path, store, to_json
from ._models import Model
from ._tern import TernError

Callback = Callable[[dict[str, Any]], object]


def train(
    data: Data,
    labels: Any = None,
    *,
    output: str | os.PathLike[str] | None = None,
    valid: Data = None,
    baselines: bool = True,
    resume: bool = False,
    checkpoint_seconds: int = 30,
    tensorboard: str | os.PathLike[str] | None = None,
    callbacks: Iterable[Callback] = (),
    **settings: Any,
) -> Model:
    """Trains a model, as `tern train` does.

    `data` is a path (a table, a folder of texts, a text, a recipe), a data frame, a list of (text, label), or texts or
    arrays `[steps, channels]` with `labels` beside them. `valid` is validation data in the same forms; two lists are
    given as a tuple. The other keywords are keys of a recipe: `hidden_size=32, epochs=30, seed=7`.

    The model directory `output` is replaced if it is a model; data in memory are stored beside it, in `OUTPUT.data.jsonl`
    or `.csv`, so that its recipe can be used again. Without `output` the model is temporary: `Model.save` keeps it. Each callback is called after each epoch with a dictionary of its figures; an exception in it ends the
    training. After Ctrl-C the model of the best epoch so far is written, and is the attribute `model` of the
    KeyboardInterrupt; with `output`, `resume=True` continues the training.
    """

    place = _Place(output)
    path = place.store(data, labels, valid, settings)
    keys = to_json(settings)
    return place.run(
        lambda callback: _tern.train(
            path, place.model, keys, baselines, resume, checkpoint_seconds, tensorboard, callback
        ),
        callbacks,
    )


def fit(
    data: Data,
    labels: Any = None,
    *,
    flash: str | int,
    ram: str | int | None = None,
    max_instructions: int | None = None,
    time: str | None = None,
    trials: int = 24,
    output: str | os.PathLike[str] | None = None,
    valid: Data = None,
    resume: bool = False,
    callbacks: Iterable[Callback] = (),
    **settings: Any,
) -> Model:
    """Searches the most accurate classifier whose device file fits `flash` bytes (`"64KB"`), as `tern fit` does.

    Data, `valid`, `output` and the other keywords are those of `train`; all candidates have these settings. The device
    file is beside the model directory: `Model.device`. Each callback is called after each trial. `Model.metrics` has
    the figures of the search under "search".
    """

    place = _Place(output)
    path = place.store(data, labels, valid, settings)
    keys, sizes = to_json(settings), (str(flash), None if ram is None else str(ram))
    return place.run(
        lambda callback: _tern.fit(
            path, place.model, *sizes, max_instructions, time, trials, resume, keys, callback
        ),
        callbacks,
    )


class _Place:
    """The model directory of a training: that of the caller, or one in a temporary folder."""

    def __init__(self, output: str | os.PathLike[str] | None) -> None:
        self.temporary = tempfile.TemporaryDirectory(prefix="tern-") if output is None else None
        self.model = Path(self.temporary.name) / "model" if self.temporary else Path(os.fspath(output or ""))
        self.stored: list[Path] = []

    def store(self, data: Data, labels: Any, valid: Data, settings: dict[str, Any]) -> str:
        """Stores data in memory beside the model directory, and returns the path of the training data."""
        self.model.parent.mkdir(parents=True, exist_ok=True)
        if valid is not None:
            settings["valid"] = self._store(valid, None, "valid", dict(settings))
        return self._store(data, labels, "data", settings)

    def _store(self, data: Data, labels: Any, name: str, settings: dict[str, Any]) -> str:
        path = store(data, labels, self.model.with_name(f"{self.model.name}.{name}"), settings)
        if not is_path(data):
            self.stored.append(Path(path))
        return path

    def run(
        self,
        work: Callable[[Callable[[str], None]], tuple[str | None, BaseException | None]],
        callbacks: Iterable[Callback],
    ) -> Model:
        """Runs a training and returns its model, or raises the exception that ended it."""
        functions = list(callbacks)

        def callback(figures: str) -> None:
            for function in functions:
                function(json.loads(figures))

        try:
            figures, raised = work(callback)
        except TernError:
            if not self.model.with_name(f"{self.model.name}.partial").exists():
                for path in self.stored:
                    path.unlink()
            raise
        model = Model(self.model, _folder=self.temporary) if figures is not None else None
        if raised is not None:
            setattr(raised, "model", model)
            raise raised
        assert model is not None
        return model

"""A classifier for scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from . import _training
from ._models import Array, DeviceModel, Model


class TernClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types.
    """A recurrent classifier of texts, or of sequences of numbers.

    X is a list of texts; or an array of sequences of equal length, `[sequences, steps]` for one channel, or
    `[sequences, steps, channels]`. The parameters are keys of a recipe with their defaults; `settings` holds others, by
    name. With `integers`, predictions are those of the device file.

    After `fit`: `classes_`, `model_` (a `Model`), and with `integers` `device_` (a `DeviceModel`).
    """

    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 64,
        num_layers: int = 1,
        embedding_dim: int = 32,
        bidirectional: bool | None = None,
        pooling: str | None = None,
        dropout: float = 0.3,
        ngram_buckets: int | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        class_weights: str = "none",
        folds: int = 1,
        valid_fraction: float = 0.1,
        threads: int | None = None,
        random_state: Any = 1,
        integers: bool = False,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.embedding_dim = embedding_dim
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.ngram_buckets = ngram_buckets
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.class_weights = class_weights
        self.folds = folds
        self.valid_fraction = valid_fraction
        self.threads = threads
        self.random_state = random_state
        self.integers = integers
        self.settings = settings

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> TernClassifier:
        """Trains on X, whose rows have the labels y. A part of the rows is the validation split."""
        inputs, reads_text = self._inputs(X, y, reset=True)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        target = column_or_1d(y, warn=True)
        check_classification_targets(target)
        if len(inputs) != len(target):
            raise ValueError(f"X has {len(inputs)} rows and y {len(target)}, expected as many")
        self.classes_, labels = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}, expected two or more: Tern is a classifier")
        # Numbers with leading zeros, so that the order of the labels is that of the classes.
        names = [f"{label:06}" for label in labels]
        parameters = {key: value for key, value in self.get_params(deep=False).items() if value is not None}
        more = parameters.pop("settings", {})
        integers, state = parameters.pop("integers"), parameters.pop("random_state", None)
        # Networks that read numbers have neither embedding nor n-grams.
        for key in [] if reads_text else ["embedding_dim", "ngram_buckets"]:
            parameters.pop(key, None)
        seed = state if isinstance(state, (int, np.integer)) else check_random_state(state).randint(2**31 - 1)
        parameters |= {"seed": seed, "input": "text" if reads_text else "values"} | more
        self.model_: Model = _training.train(inputs, names, baselines=False, **parameters)
        self.device_: DeviceModel | None = self.model_.export() if integers else None
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: `[rows, classes]`."""
        check_is_fitted(self)
        inputs, _ = self._inputs(X, None, reset=False)
        found = (self.device_ or self.model_).predict_proba(inputs)
        # A class of which no row was left for training has no output.
        probabilities = np.zeros((len(inputs), len(self.classes_)))
        probabilities[:, [int(label) for label in self.model_.labels]] = found
        return probabilities

    def predict(self, X: Any) -> Array:
        """The most probable class of each row."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _inputs(self, X: Any, y: Any, reset: bool) -> tuple[list[Any], bool]:
        """The rows of X as the trainer reads them, and True if they are texts."""
        texts = _texts(X)
        if texts is not None:
            return texts, True
        array = validate_data(self, X, reset=reset, dtype=np.float64, allow_nd=True, ensure_min_samples=1)
        return list(array if array.ndim == 3 else array[:, :, np.newaxis]), False


def _texts(X: Any) -> list[str] | None:
    """X as a list of texts if it is one: a list, an array or a series of strings, or one column of them."""
    if isinstance(X, str):
        raise ValueError("X is one text, expected a list of texts")
    values = X.to_numpy() if hasattr(X, "to_numpy") else X
    if isinstance(values, np.ndarray):
        if values.ndim == 2 and values.shape[1] == 1 and values.dtype.kind in "OUT":
            values = values[:, 0]
        values = values.tolist() if values.ndim == 1 and values.dtype.kind in "OUT" else None
    if not isinstance(values, (list, tuple)) or not values or not all(isinstance(item, str) for item in values):
        return None
    return [str(item) for item in values]

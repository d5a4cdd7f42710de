"""Networks of Keras 3, on any of its backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._convert import Converted
from ._models import Array
from ._tern import TernError

#: Layers that do nothing at inference.
_PLAIN = {"InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "Masking"}
_POOLINGS = {"GlobalAveragePooling1D": "mean", "GlobalMaxPooling1D": "max"}
_MERGES = {"concat": "concat", "sum": "sum", "ave": "mean", "mul": "product"}
_EXPECTED = "expected Embedding, LSTM, GRU or SimpleRNN, global pooling, and one or two Dense, in a chain"


def convert(model: Any) -> tuple[Converted, Callable[[Array], Any]]:
    """The network, and the function that computes the logits of one sample in Keras."""
    weights: dict[str, Array] = {}
    settings: dict[str, Any] = {"pooling": "last"}
    recurrent: list[Any] = []
    dense: list[Any] = []
    for layer in model.layers:
        kind = type(layer).__name__
        if len(getattr(layer, "_inbound_nodes", [])) > 1 or kind in {"Concatenate", "Add", "Average"}:
            raise _refused(layer, _EXPECTED)
        if kind == "Embedding":
            weights["embedding.weight"] = np.asarray(layer.get_weights()[0])
            if layer.mask_zero:
                settings["pad"] = 0
        elif kind in {"LSTM", "GRU", "SimpleRNN", "Bidirectional"}:
            recurrent.append(layer)
        elif kind in _POOLINGS:
            settings["pooling"] = _POOLINGS[kind]
        elif kind == "Dense":
            dense.append(layer)
        elif kind == "Activation" and layer is model.layers[-1] and _name(layer.activation) in {"softmax", "sigmoid"}:
            pass
        elif kind not in _PLAIN:
            raise _refused(layer, _EXPECTED)
    if not recurrent or not 1 <= len(dense) <= 2:
        raise TernError(f"{len(recurrent)} recurrent and {len(dense)} Dense layers; {_EXPECTED}")
    settings.update(_recurrent_weights(recurrent, weights))
    _dense_weights(dense, weights)
    head = dense[-1]

    def logits(sample: Array) -> Any:
        # The last layer's softmax or sigmoid is left out, since logits are compared.
        output = dense[-1]
        activation, output.activation = output.activation, None
        last = model.layers[-1]
        final = last.activation if last is not head and type(last).__name__ == "Activation" else None
        if final is not None:
            last.activation = lambda x: x
        try:
            import keras

            return keras.ops.convert_to_numpy(model(sample[np.newaxis], training=False))
        finally:
            output.activation = activation
            if final is not None:
                last.activation = final

    return Converted(weights, settings), logits


def _refused(layer: Any, expected: str) -> TernError:
    return TernError(f"`{layer.name}` is a {type(layer).__name__}; {expected}")


def _name(function: Any) -> str:
    return "linear" if function is None else str(getattr(function, "__name__", function))


def _check(layer: Any, key: str, expected: set[Any]) -> Any:
    found = getattr(layer, key)
    found = _name(found) if callable(found) or found is None else found
    if found not in expected:
        wanted = " or ".join(sorted(map(repr, expected)))
        raise TernError(f"`{layer.name}` has {key}={found!r}, expected {wanted}")
    return found


def _recurrent_weights(layers: list[Any], weights: dict[str, Array]) -> dict[str, Any]:
    """Adds the weights of all recurrent layers, and returns the settings that they determine."""
    settings: dict[str, Any] = {}
    first = layers[0].forward_layer if type(layers[0]).__name__ == "Bidirectional" else layers[0]
    kind, units = type(first).__name__, first.units
    for index, layer in enumerate(layers):
        both = type(layer).__name__ == "Bidirectional"
        if both:
            merge = _check(layer, "merge_mode", set(_MERGES))
            if index + 1 == len(layers):
                settings["merge"] = _MERGES[merge]
            elif merge != "concat":
                raise TernError(f"`{layer.name}` has merge_mode={merge!r}, expected 'concat' below another layer")
        cells = [(layer.forward_layer, ""), (layer.backward_layer, "_reverse")] if both else [(layer, "")]
        if both != (type(layers[0]).__name__ == "Bidirectional"):
            raise TernError(f"`{layer.name}`: expected all recurrent layers in one direction, or all in both")
        for cell, suffix in cells:
            if type(cell).__name__ != kind or cell.units != units:
                found = f"{type(cell).__name__} of {cell.units} units"
                raise TernError(f"`{cell.name}` is a {found}, expected {kind} of {units} as `{first.name}`")
            _check(cell, "go_backwards", {suffix == "_reverse"})
            name = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}[kind]
            _cell_weights(cell, kind, name, f"l{index}{suffix}", weights)
    if kind == "SimpleRNN" and _name(first.activation) == "relu":
        settings["cell"] = "rnn_relu"
    return settings


def _cell_weights(layer: Any, kind: str, name: str, suffix: str, weights: dict[str, Array]) -> None:
    _check(layer, "activation", {"tanh", "relu"} if kind == "SimpleRNN" else {"tanh"})
    # Keras: LSTM i f c o as in PyTorch; GRU z r h, in PyTorch r z n.
    order = {"LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2], "SimpleRNN": [0]}[kind]
    if kind != "SimpleRNN":
        _check(layer, "recurrent_activation", {"sigmoid"})
    if kind == "GRU":
        _check(layer, "reset_after", {True})

    def reordered(array: Array) -> Array:
        gates = np.split(array, len(order), axis=-1)
        return np.concatenate([gates[gate] for gate in order], axis=-1)

    kernel, recurrent_kernel, *bias = [np.asarray(array) for array in layer.get_weights()]
    weights[f"{name}.weight_ih_{suffix}"] = reordered(kernel).T
    weights[f"{name}.weight_hh_{suffix}"] = reordered(recurrent_kernel).T
    if bias:
        rows = reordered(bias[0]).reshape(-1, reordered(bias[0]).shape[-1])
        for half, row in zip(["ih", "hh"], rows):
            weights[f"{name}.bias_{half}_{suffix}"] = row


def _dense_weights(layers: list[Any], weights: dict[str, Array]) -> None:
    names = ["fc"] if len(layers) == 1 else ["hidden", "fc"]
    for name, layer in zip(names, layers):
        _check(layer, "activation", {"relu"} if name == "hidden" else {"linear", "softmax", "sigmoid"})
        kernel, *bias = [np.asarray(array) for array in layer.get_weights()]
        weights[f"{name}.weight"] = kernel.T
        if bias:
            weights[f"{name}.bias"] = bias[0]

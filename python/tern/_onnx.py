"""Networks as ONNX files, out and in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from ._convert import Converted
from ._tern import TernError, __version__

if TYPE_CHECKING:
    from ._models import Array, Model

#: The place of each of PyTorch's gates in ONNX: i f g o in i o f c; r z n in z r h.
_ONNX_GATES = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0], "rnn_relu": [0]}
_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
#: The oldest version of the operators that has axes of reductions as inputs.
_OPSET = 18


def _gates(array: Array, order: list[int]) -> Array:
    """Rows of gates in another order: the first axis is `[gates * hidden]`."""
    return np.concatenate([np.split(array, len(order))[gate] for gate in order])


class _Graph:
    """A graph under construction. Each method adds a node and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: Array) -> str:
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def axes(self, *axes: int) -> str:
        return self.constant("axes_" + "_".join(map(str, axes)).replace("-", "m"), np.array(axes, dtype=np.int64))

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names

    def one(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.node(operator, *inputs, **attributes)[0]


def write(model: Model, path: Path) -> Path:
    """Writes a classifier."""
    config, weights = model.config, load_file(model.path / "model.safetensors")
    if config["task"] != "classify":
        raise TernError(f"the task of the model is {config['task']}, expected classify")
    graph, inputs, parts = _Graph(), [], []
    if config["num_layers"]:
        if config.get("input") == "values":
            width = len(config["channels"])
            inputs.append(helper.make_tensor_value_info("values", TensorProto.FLOAT, ["steps", width]))
            x = "values"
        else:
            inputs.append(helper.make_tensor_value_info("ids", TensorProto.INT64, ["steps"]))
            x = graph.one("Gather", graph.constant("embedding.weight", weights["embedding.weight"]), "ids")
        parts.append(_recurrent(graph, config, weights, x))
    if "ngrams" in config:
        inputs.append(helper.make_tensor_value_info("ngrams", TensorProto.INT64, ["n"]))
        parts.append(_ngrams(graph, weights["ngrams.weight"]))
    x = parts[0] if len(parts) == 1 else graph.one("Concat", *parts, axis=0)
    x = graph.one("Unsqueeze", x, graph.axes(0))
    for name in ["hidden", "fc"] if config.get("head_hidden") else ["fc"]:
        weight, bias = [graph.constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ["weight", "bias"]]
        x = graph.one("Gemm", x, weight, bias, transB=1)
        x = graph.one("Relu", x) if name == "hidden" else x
    x = graph.one("Squeeze", x, graph.axes(0))
    if config.get("output") == "sigmoid":
        # One output z: the logits of the two labels are 0 and z.
        x = graph.one("Concat", graph.constant("zero", np.zeros(1, dtype=np.float32)), x, axis=0)
    graph.nodes.append(helper.make_node("Identity", [x], ["logits"], name="logits"))
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [len(config["labels"])])
    made = helper.make_model(
        helper.make_graph(graph.nodes, config["name"] or "model", inputs, [output], graph.constants),
        producer_name="tern", producer_version=__version__, opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=8,
    )  # fmt: skip
    helper.set_model_props(made, {"labels": "\n".join(config["labels"])})
    onnx.checker.check_model(made)
    temporary = path.with_name(path.name + ".new")
    onnx.save(made, temporary)
    os.replace(temporary, path)
    return path


def _recurrent(graph: _Graph, config: dict[str, Any], weights: dict[str, Array], x: str) -> str:
    """The recurrent layers over `x`, `[steps, width]`, and the pooling."""
    cell, hidden, both = config["cell"], config["hidden_size"], config["bidirectional"]
    order, module = _ONNX_GATES[cell], cell.split("_")[0]
    x = graph.one("Unsqueeze", x, graph.axes(1))
    states = last = ""
    for layer in range(config["num_layers"]):
        suffixes = [f"l{layer}", f"l{layer}_reverse"] if both else [f"l{layer}"]

        def stacked(part: str) -> str:
            arrays = [_gates(weights[f"{module}.{part}_{suffix}"], order) for suffix in suffixes]
            return graph.constant(f"{part}_l{layer}", np.stack(arrays))

        biases = []
        for suffix in suffixes:
            half = weights[f"{module}.bias_ih_{suffix}"]
            other = weights.get(f"{module}.bias_hh_{suffix}", np.zeros_like(half))
            biases.append(np.concatenate([_gates(half, order), _gates(other, order)]))
        bias = graph.constant(f"bias_l{layer}", np.stack(biases))
        attributes: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional" if both else "forward"}
        if cell == "gru":
            attributes["linear_before_reset"] = 1
        if cell == "rnn_relu":
            attributes["activations"] = ["Relu"] * len(suffixes)
        w_ih, w_hh = stacked("weight_ih"), stacked("weight_hh")
        # Y is [steps, directions, 1, hidden], Y_h is [directions, 1, hidden].
        states, last = graph.node(module.upper(), x, w_ih, w_hh, bias, outputs=2, **attributes)
        if layer + 1 < config["num_layers"]:
            x = graph.one("Transpose", states, perm=[0, 2, 1, 3])
            x = graph.one("Reshape", x, graph.constant("joined", np.array([0, 0, -1], dtype=np.int64)))
    if config["pooling"] == "last":
        return _merged(graph, config, graph.one("Squeeze", last, graph.axes(1)), 0)
    merged = _merged(graph, config, graph.one("Squeeze", states, graph.axes(2)), 1)
    reductions = {"mean": ["ReduceMean"], "max": ["ReduceMax"], "mean_max": ["ReduceMean", "ReduceMax"]}
    pooled = [graph.one(name, merged, graph.axes(0), keepdims=0) for name in reductions[config["pooling"]]]
    return pooled[0] if len(pooled) == 1 else graph.one("Concat", *pooled, axis=0)


def _merged(graph: _Graph, config: dict[str, Any], states: str, axis: int) -> str:
    """The directions combined: `[…, directions, hidden]`, of which `axis` are the directions."""
    reductions = {"sum": "ReduceSum", "mean": "ReduceMean", "product": "ReduceProd"}
    reduction = reductions.get(config["merge"])
    if reduction:
        return graph.one(reduction, states, graph.axes(axis), keepdims=0)
    shape = np.array([0, -1] if axis else [-1], dtype=np.int64)
    return graph.one("Reshape", states, graph.constant(f"concatenated_{axis}", shape))


def _ngrams(graph: _Graph, table: Array) -> str:
    """The sums of the n-gram branch: of the rows of `ngrams`, divided by the square root of their number."""
    rows = graph.one("Gather", graph.constant("ngrams.weight", table), "ngrams")
    total = graph.one("ReduceSum", rows, graph.axes(0), keepdims=0)
    count = graph.one("Cast", graph.one("Shape", "ngrams"), to=TensorProto.FLOAT)
    one = graph.constant("one", np.ones(1, dtype=np.float32))
    return graph.one("Div", total, graph.one("Sqrt", graph.one("Max", count, one)))


#: Operators that move values without changing them, or that only compute shapes and initial states.
_MOVING = {
    "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Gather", "Slice", "Split", "Concat", "Cast",
    "Shape", "ConstantOfShape", "Expand", "Constant", "Dropout", "Relu", "ReduceMean", "ReduceMax", "GlobalAveragePool",
    "GlobalMaxPool", "Add", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Softmax", "LogSoftmax", "Sigmoid", "Equal", "Where",
    "ReduceSum", "ReduceProd", "Mul", "Div", "Zeros", "Range", "Max", "Sqrt",
}  # fmt: skip
_FINAL = {"Softmax", "LogSoftmax", "Sigmoid"}


def read(path: Path, batch_first: bool) -> tuple[Converted, Callable[[Array], Any]]:
    """The network of an ONNX file, and the function that computes the logits of one sample with onnxruntime."""
    made = onnx.load(path)
    graph = made.graph
    refused = sorted({node.op_type for node in graph.node if node.op_type not in _MOVING})
    if refused:
        expected = "expected Gather, one kind of LSTM, GRU or RNN, and one or two Gemm or MatMul"
        raise TernError(f"{path}: the operators {', '.join(refused)} are not supported; {expected}")
    constants = _constants(graph)
    weights: dict[str, Array] = {}
    settings: dict[str, Any] = {}
    layers = [node for node in graph.node if node.op_type in _CELLS]
    if not layers or len({node.op_type for node in layers}) > 1:
        found = ", ".join(node.op_type for node in layers) or "none"
        raise TernError(f"{path}: the recurrent operators are {found}, expected LSTM, GRU or RNN, one of these")
    for index, node in enumerate(layers):
        settings.update(_layer(node, index, constants, weights))
    read_by_tokens = [
        constants[node.input[0]]
        for node in graph.node
        if node.op_type == "Gather" and node.input[0] in constants and constants[node.input[0]].ndim == 2
    ]
    first_input = weights[next(name for name in weights if name.endswith("weight_ih_l0"))].shape[1]
    embeddings = [array for array in read_by_tokens if array.shape[1] == first_input]
    if embeddings:
        weights["embedding.weight"] = embeddings[0]
    _dense(graph, constants, weights, path)
    # A final softmax is left out, since logits are compared.
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    while last.op_type == "Identity":
        last = next(node for node in graph.node if last.input[0] in node.output)
    name = graph.output[0].name
    if last.op_type in _FINAL:
        name = last.input[0]
        graph.output.append(onnx.ValueInfoProto(name=name))
    return Converted(weights, settings), _runner(made, name, batch_first)


def _runner(made: onnx.ModelProto, output: str, batch_first: bool) -> Callable[[Array], Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    kind = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}.get(first.type, np.float32)

    def logits(sample: Array) -> Any:
        array = sample.astype(kind)
        if len(first.shape) > array.ndim:
            array = np.expand_dims(array, 0 if batch_first else 1)
        return session.run([output], {first.name: array})[0]

    return logits


def _constants(graph: onnx.GraphProto) -> dict[str, Array]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type in {"Identity", "Transpose"} and node.input[0] in constants:
            permutation = next((list(item.ints) for item in node.attribute if item.name == "perm"), None)
            array = constants[node.input[0]]
            constants[node.output[0]] = np.transpose(array, permutation) if node.op_type == "Transpose" else array
    return constants


def _layer(
    node: onnx.NodeProto, index: int, constants: dict[str, Array], weights: dict[str, Array]
) -> dict[str, Any]:
    """Adds the weights of a recurrent layer, and returns the settings that it determines."""
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    name = f"`{node.name or node.op_type}`"
    cell = _CELLS[node.op_type]
    direction = attributes.get("direction", b"forward").decode()
    if direction == "reverse":
        raise TernError(f"{name} has direction reverse, expected forward or bidirectional")
    directions = 2 if direction == "bidirectional" else 1
    default = {"lstm": ["Sigmoid", "Tanh", "Tanh"], "gru": ["Sigmoid", "Tanh"], "rnn": ["Tanh"]}[cell] * directions
    found = [function.decode() for function in attributes.get("activations", [])] or default
    is_relu = cell == "rnn" and found == ["Relu"] * directions
    if found != default and not is_relu:
        raise TernError(f"{name} has the activations {', '.join(found)}, expected {', '.join(default)}")
    if cell == "gru" and not attributes.get("linear_before_reset", 0):
        raise TernError(f"{name} has linear_before_reset=0, expected 1: Tern resets after the product, as PyTorch does")
    for key in ["clip", "input_forget"]:
        if attributes.get(key, 0):
            raise TernError(f"{name} has {key}={attributes[key]}, expected none")
    if len(node.input) > 7 and node.input[7]:
        raise TernError(f"{name} has peepholes, expected none")
    missing = [part for part in node.input[1:3] if part not in constants]
    if missing:
        raise TernError(f"{name}: the weights {', '.join(missing)} are computed, expected constants")
    order = np.argsort(_ONNX_GATES[cell]).tolist()
    bias = constants.get(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    for way, suffix in enumerate(["", "_reverse"][:directions]):
        for part, array in [("weight_ih", constants[node.input[1]]), ("weight_hh", constants[node.input[2]])]:
            weights[f"{cell}.{part}_l{index}{suffix}"] = _gates(array[way], order)
        if bias is not None:
            for part, row in zip(["bias_ih", "bias_hh"], np.split(bias[way], 2)):
                weights[f"{cell}.{part}_l{index}{suffix}"] = _gates(row, order)
    return {"cell": "rnn_relu"} if is_relu else {}


def _dense(graph: onnx.GraphProto, constants: dict[str, Array], weights: dict[str, Array], path: Path) -> None:
    """Adds the weights of the one or two linear layers."""
    layers: list[tuple[Array, Array | None]] = []
    for node in graph.node:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Gemm" and node.input[1] in constants:
            weight = constants[node.input[1]]
            weight = weight if attributes.get("transB", 0) else weight.T
            layers.append((weight, constants.get(node.input[2]) if len(node.input) > 2 else None))
        elif node.op_type == "MatMul" and node.input[1] in constants:
            users = [user for user in graph.node if user.op_type == "Add" and node.output[0] in user.input]
            biases = [constants[name] for user in users for name in user.input if name in constants]
            layers.append((constants[node.input[1]].T, biases[0] if biases else None))
    if not 1 <= len(layers) <= 2:
        raise TernError(f"{path}: {len(layers)} Gemm and MatMul with constant weights, expected one or two")
    for name, (weight, bias) in zip(["fc"] if len(layers) == 1 else ["hidden", "fc"], layers):
        weights[f"{name}.weight"] = weight
        if bias is not None:
            weights[f"{name}.bias"] = bias.reshape(-1)

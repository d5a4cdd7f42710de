"""Writes recurrent.json: what PyTorch makes of small recurrent networks. Run as its `made_by` says."""

import json
import math

import numpy
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

CELLS = {
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
    "rnn": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
}


def numbers(tensor):
    """Nested lists, each number with as many digits as tell its 32-bit float."""
    if tensor.dim() == 0:
        value = tensor.item()
        assert math.isfinite(value)
        return float(str(numpy.float32(value)))
    return [numbers(part) for part in tensor.detach()]


def case(cell, layers, bidirectional, sequences, hidden_size):
    module, options = CELLS[cell]
    input_size = sequences[0].shape[1]
    network = module(input_size, hidden_size, layers, batch_first=True, bidirectional=bidirectional, **options)
    lengths = [len(sequence) for sequence in sequences]
    sequences = [sequence.requires_grad_() for sequence in sequences]
    packed = pack_padded_sequence(pad_sequence(sequences, batch_first=True), lengths, batch_first=True, enforce_sorted=False)
    output, state = network(packed)
    h_n, c_n = state if cell == "lstm" else (state, None)
    output, _ = pad_packed_sequence(output, batch_first=True)
    d_output = torch.rand_like(output) * 2 - 1
    d_h_n = torch.rand_like(h_n) * 2 - 1
    cut = lambda padded: [numbers(rows[:length]) for rows, length in zip(padded, lengths)]
    d_cut = cut(d_output)
    mask = pad_sequence([torch.ones(length, 1) for length in lengths], batch_first=True)
    ((output * d_output * mask).sum() + (h_n * d_h_n).sum()).backward()
    module_name = "rnn" if cell == "rnn_relu" else cell
    parameters = {f"{module_name}.{name}": value for name, value in network.named_parameters()}
    return {
        "cell": cell,
        "layers": layers,
        "bidirectional": bidirectional,
        "hidden_size": hidden_size,
        "x": [numbers(sequence) for sequence in sequences],
        "parameters": {name: numbers(value) for name, value in parameters.items()},
        "output": cut(output),
        "h_n": numbers(h_n),
        "c_n": None if c_n is None else numbers(c_n),
        "d_output": d_cut,
        "d_h_n": numbers(d_h_n),
        "d_x": [numbers(sequence.grad) for sequence in sequences],
        "d_parameters": {name: numbers(value.grad) for name, value in parameters.items()},
    }


def main():
    torch.manual_seed(1)
    made_by = f"python3 make.py > recurrent.json   # torch {torch.__version__}, seed 1"
    textbook = torch.tensor([[1.0] * 5, [2.0] * 5, [3.0] * 5])
    cases = [case(cell, 1, False, [textbook.clone()], 2) for cell in CELLS]
    for cell in CELLS:
        for layers in (1, 2):
            for bidirectional in (False, True):
                sequences = [torch.rand(length, 3) * 2 - 1 for length in (2, 4, 1)]
                cases.append(case(cell, layers, bidirectional, sequences, 3))
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    print(f'{{"made_by": {json.dumps(made_by)}, "cases": [\n{lines}\n]}}')


main()

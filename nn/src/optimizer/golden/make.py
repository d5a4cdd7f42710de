"""Writes steps.json: the steps that PyTorch's optimizers take. Run as its `made_by` says."""

import json

import numpy
import torch

RATES = [0.01, 0.02, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001]

CASES = [
    ("adamw", {"weight_decay": 0.1}, None),
    ("adamw", {"weight_decay": 0.0}, None),
    ("adamw", {"weight_decay": 0.1}, 1.0),
    ("sgd", {}, None),
    ("sgd", {"weight_decay": 0.1}, 1.0),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.1}, 1.0),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, 1.0),
]


def numbers(tensor):
    """Each number with as many digits as tell its 32-bit float."""
    return [float(str(numpy.float32(value))) for value in tensor.detach().flatten()]


def case(kind, options, clip):
    matrix, bias = (torch.nn.Parameter(torch.randn(*shape)) for shape in [(2, 3), (3,)])
    start = [numbers(matrix), numbers(bias)]
    groups = [{"params": [matrix]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind](groups, lr=RATES[0], **options)
    gradients, weights, norms = [], [], []
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = rate
        matrix.grad, bias.grad = torch.randn(2, 3), torch.randn(3)
        gradients.append([numbers(matrix.grad), numbers(bias.grad)])
        norms.append(torch.nn.utils.clip_grad_norm_([matrix, bias], clip or float("inf")).item())
        optimizer.step()
        weights.append([numbers(matrix), numbers(bias)])
    plain = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    return {"kind": kind, **plain, **options, "clip_norm": clip or 0.0, "start": start, "gradients": gradients, "norms": norms, "weights": weights}


torch.manual_seed(1)
print(f'{{"made_by": "python3 make.py > steps.json   # torch {torch.__version__}, seed 1", "rates": {json.dumps(RATES)}, "cases": [')
print(",\n".join(json.dumps(case(*arguments), separators=(",", ":")) for arguments in CASES))
print("]}")

"""Writes rates.json: what PyTorch's schedulers make of a rate of 1. Run as its `made_by` says."""

import json
import warnings

import torch
from torch.optim import lr_scheduler

STEPS, WARM_UP = 20, 5
LOSSES = [1.0, 0.9, 0.95, 0.91, 0.9, 0.89, 0.88999, 0.88995, 0.93, 0.8, 0.81, 0.85, 0.8, 0.84, 0.79, 0.9, 0.9, 0.9, 0.9]
PATIENCE, FACTOR = 2, 0.5


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler, optimizer):
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


warnings.simplefilter("ignore")
plain = optimizer()
cosine = rates(lr_scheduler.CosineAnnealingLR(plain, STEPS), plain)
warm = optimizer()
rise = lr_scheduler.LinearLR(warm, start_factor=1 / (WARM_UP + 1), total_iters=WARM_UP)
fall = lr_scheduler.CosineAnnealingLR(warm, STEPS - WARM_UP)
cosine_warm_up = rates(lr_scheduler.SequentialLR(warm, [rise, fall], [WARM_UP]), warm)
lowered = optimizer()
scheduler = lr_scheduler.ReduceLROnPlateau(lowered, factor=FACTOR, patience=PATIENCE)
plateau = []
for loss in LOSSES:
    scheduler.step(loss)
    plateau.append(lowered.param_groups[0]["lr"])

print(f'{{"made_by": "python3 make.py > rates.json   # torch {torch.__version__}",')
print(f'"cosine": {json.dumps(cosine)},\n"cosine_warm_up": {json.dumps(cosine_warm_up)},')
print(f'"plateau_losses": {json.dumps(LOSSES)}, "plateau_patience": {PATIENCE}, "plateau_factor": {FACTOR},')
print(f'"plateau": {json.dumps(plateau)}}}')

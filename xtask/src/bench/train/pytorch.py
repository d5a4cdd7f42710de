#!/usr/bin/env python3
"""A worker of `cargo xtask bench train`: PyTorch on the same texts.

Prints `ready` after a first batch, then trains on each text once for every line on stdin and answers with
{"seconds": ..., "tokens": ...}; tokens of padding do not count. Batches are padded to their longest text, which is the fastest
that PyTorch does on a CPU (packed sequences take another, slower way), and denormals are flushed.
"""

import argparse
import csv
import json
import random
import sys
import time

import torch
from torch import nn


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", help="CSV with the columns text, of words w1, w2, ..., and label")
    parser.add_argument("--cell", choices=["lstm", "gru", "rnn"], required=True)
    for name in ["embedding", "hidden", "batch", "threads", "vocabulary"]:
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--bucketed", action="store_true", help="sort the texts by length before they are put in batches")
    return parser.parse_args()


class Classifier(nn.Module):
    def __init__(self, options):
        super().__init__()
        layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[options.cell]
        directions = 2 if options.bidirectional else 1
        self.embedding = nn.Embedding(options.vocabulary, options.embedding, padding_idx=0)
        self.rnn = layer(options.embedding, options.hidden, batch_first=True, bidirectional=options.bidirectional)
        self.head = nn.Sequential(nn.Linear(directions * options.hidden, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, ids, lengths):
        states, _ = self.rnn(self.embedding(ids))
        rows, hidden = torch.arange(len(lengths), device=ids.device), self.rnn.hidden_size
        last = states[rows, lengths - 1, :hidden]
        if self.rnn.bidirectional:
            # The reverse direction has read padding before the text: another function than packed texts give, but as much work.
            last = torch.cat([last, states[:, 0, hidden:]], 1)
        return self.head(last)


def batches(path, size, bucketed, device):
    with open(path, newline="") as file:
        texts = [([int(word[1:]) for word in row["text"].split()], int(row["label"])) for row in csv.DictReader(file)]
    if bucketed:
        texts.sort(key=lambda text: len(text[0]))
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    tensors = []
    for part in parts:
        lengths = [len(ids) for ids, _ in part]
        padded = torch.zeros(len(part), max(lengths), dtype=torch.long)
        for row, (ids, _) in zip(padded, part):
            row[: len(ids)] = torch.tensor(ids)
        tensors.append((padded, torch.tensor(lengths), torch.tensor([label for _, label in part])))
    return [tuple(tensor.to(device) for tensor in batch) for batch in tensors]


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    network = Classifier(options).to(options.device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    data = batches(options.texts, options.batch, options.bucketed, options.device)

    def step(batch):
        ids, lengths, labels = batch
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(network(ids, lengths), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    step(data[0])
    print("ready", flush=True)
    for _ in sys.stdin:
        random.shuffle(data)
        start = time.perf_counter()
        for batch in data:
            step(batch)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "tokens": sum(int(batch[1].sum()) for batch in data)}), flush=True)


if __name__ == "__main__":
    main()

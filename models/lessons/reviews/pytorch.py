"""The textbook's network in PyTorch on the tables beside this file: the accuracy on the test reviews for 20 seeds.

    python models/lessons/reviews/pytorch.py

A plain RNN whose cell has one bias, embeddings from N(0, 1), 8,770 parameters. `--padding` also reads the padding at the
end of short reviews, as the textbook's notebook does.
"""

import argparse
import collections
import csv
import pathlib
import statistics

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent
TOKENS, EMBEDDING_DIM, HIDDEN_SIZE, MAX_LENGTH, EPOCHS, BATCH = 76, 32, 64, 10, 80, 8


class Reviews(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, EMBEDDING_DIM, padding_idx=0)
        self.input = nn.Linear(EMBEDDING_DIM, HIDDEN_SIZE)
        self.recurrent = nn.Linear(HIDDEN_SIZE, HIDDEN_SIZE, bias=False)
        self.fc = nn.Linear(HIDDEN_SIZE, 2)

    def forward(self, ids, read_padding):
        h = torch.zeros(len(ids), HIDDEN_SIZE)
        for step in range(ids.shape[1]):
            new = torch.tanh(self.input(self.embedding(ids[:, step])) + self.recurrent(h))
            h = new if read_padding else torch.where(ids[:, step : step + 1] > 0, new, h)
        return self.fc(h)


def rows(path):
    with open(path) as file:
        return [(row["text"].split(), int(row["label"] == "positive")) for row in csv.DictReader(file)]


def accuracy(seed, train, test, read_padding):
    torch.manual_seed(seed)
    network = Reviews()
    assert sum(parameter.numel() for parameter in network.parameters()) == 8_770
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(train[0])).split(BATCH):
            loss = nn.functional.cross_entropy(network(train[0][batch], read_padding), train[1][batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    with torch.no_grad():
        return (network(test[0], read_padding).argmax(1) == test[1]).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--padding", action="store_true", help="read the padding after short reviews")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--train", default=FOLDER / "reviews.csv")
    parser.add_argument("--test", default=FOLDER / "reviews_test.csv")
    arguments = parser.parse_args()
    counts = collections.Counter(word for words, _ in rows(arguments.train) for word in words)
    ids = {word: 2 + index for index, (word, _) in enumerate(counts.most_common(TOKENS - 2))}

    def tensors(table):
        encoded = [[ids.get(word, 1) for word in words][:MAX_LENGTH] for words, _ in table]
        return torch.tensor([row + [0] * (MAX_LENGTH - len(row)) for row in encoded]), torch.tensor([y for _, y in table])

    train, test = tensors(rows(arguments.train)), tensors(rows(arguments.test))
    torch.set_num_threads(1)
    found = [accuracy(seed, train, test, arguments.padding) for seed in range(1, arguments.seeds + 1)]
    print("accuracy by seed:", " ".join(f"{value:.1f}" for value in found))
    print(f"median {statistics.median(found):.2f}, mean {statistics.mean(found):.2f}, worst {min(found):.1f}")


main()

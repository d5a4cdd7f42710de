"""Writes models.json and a state_dict for each model in it; and values.safetensors, the state_dict of a network that
reads numbers, with values-check.safetensors, its inputs and logits. Run as `made_by` says, in this folder."""

import json

import torch
from safetensors.torch import save_file
from torch import nn

# Tokens as a PyTorch user may have them: special ones anywhere, in the order of the embedding's rows.
VOCAB = ["the", "<unk>", "free", "prize", "<pad>", "now", "lunch", "!!", "see", "you"]
TEXTS = ["free prize now !!", "see you", "lunch", "the free lunch nobody knows", "unknown"]


class Plain(nn.Module):
    """One LSTM, the last state, a linear layer."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB), 4, padding_idx=VOCAB.index("<pad>"))
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)

    def forward(self, ids):
        _, (h_n, _) = self.lstm(self.embedding(ids))
        return self.fc(h_n[-1])


class Nested(nn.Module):
    """Two bidirectional GRU layers in a submodule, mean and maximum, a head of two layers with names of its own."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleDict({
            "embed": nn.Embedding(len(VOCAB), 4),
            "rnn": nn.GRU(4, 3, num_layers=2, bidirectional=True, batch_first=True),
        })
        self.classifier = nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, ids):
        output, _ = self.encoder["rnn"](self.encoder["embed"](ids))
        return self.classifier(torch.cat([output.mean(1), output.amax(1)], dim=1))


class Sigmoid(nn.Module):
    """A plain RNN in both directions, their last states side by side, one logit; no bias in the recurrent layer."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(VOCAB), 3)
        self.rnn = nn.RNN(3, 4, nonlinearity="relu", bidirectional=True, bias=False, batch_first=True)
        self.out = nn.Linear(8, 1)

    def forward(self, ids):
        _, h_n = self.rnn(self.emb(ids))
        return self.out(torch.cat([h_n[0], h_n[1]], dim=1))


class Values(nn.Module):
    """A GRU over two numbers a step, the maximum over time."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 4, batch_first=True)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.gru(x)[0].amax(1))


def values():
    model = Values().eval()
    save_file(model.state_dict(), "values.safetensors")
    lengths = [6, 1, 4]
    inputs = torch.randn(len(lengths), max(lengths), 2)
    with torch.no_grad():
        logits = torch.cat([model(x[None, :length]) for x, length in zip(inputs, lengths)])
    tensors = {"inputs": inputs, "lengths": torch.tensor(lengths), "logits": logits}
    save_file(tensors, "values-check.safetensors")


def entry(name, model, dtype, prefix, settings):
    # Rounded first, so that the logits are of the numbers in the file.
    state = {key: value.to(dtype) for key, value in model.state_dict().items()}
    model.load_state_dict({key: value.float() for key, value in state.items()})
    save_file({prefix + key: value.contiguous() for key, value in state.items()}, f"{name}.safetensors")
    model.eval()
    logits = []
    with torch.no_grad():
        for text in TEXTS:
            ids = [VOCAB.index(word) if word in VOCAB else VOCAB.index("<unk>") for word in text.split()]
            row = model(torch.tensor([ids]))[0].tolist()
            # One logit is that of the second label; the first one's is 0.
            logits.append(row if len(row) > 1 else [0.0] + row)
    return {"name": name, "settings": settings, "logits": logits}


def main():
    torch.manual_seed(2)
    made_by = f"python3 make.py   # torch {torch.__version__}, seed 2"
    models = [
        entry("plain", Plain(), torch.float32, "", {"labels": ["a", "b", "c"], "hidden_size": 5, "embedding_dim": 4}),
        entry("nested", Nested(), torch.float16, "module.", {"labels": ["ham", "spam"], "pooling": "mean_max"}),
        entry("sigmoid", Sigmoid(), torch.float64, "", {"labels": ["no", "yes"], "output": "sigmoid", "cell": "rnn_relu"}),
        entry("brain", Plain(), torch.bfloat16, "net.", {"labels": ["a", "b", "c"], "rename": {"net.": ""}}),
    ]
    lines = ",\n".join(json.dumps(model) for model in models)
    with open("models.json", "w") as file:
        file.write(f'{{"made_by": {json.dumps(made_by)},\n"vocab": {json.dumps(VOCAB)},\n"texts": {json.dumps(TEXTS)},\n"models": [\n{lines}\n]}}\n')
    values()


main()

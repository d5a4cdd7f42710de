"""Networks of PyTorch. PyTorch is too large to install for every change: `cargo xtask python --torch` runs this file."""

import numpy as np
import pytest

import tern

pytestmark = pytest.mark.torch

VOCAB = ["<pad>", "<unk>", *(f"w{index}" for index in range(18))]
LABELS = ["a", "b", "c"]


def network(cell="LSTM", *, layers=1, both=False, pooling="last", hidden=None, channels=None, outputs=3, **options):
    import torch
    from torch import nn

    torch.manual_seed(1)

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            if channels is None:
                self.emb = nn.Embedding(len(VOCAB), 6, padding_idx=0)
            self.encoder = getattr(nn, cell)(
                channels or 6, 5, layers, bidirectional=both, batch_first=True, dropout=0.3 if layers > 1 else 0.0, **options
            )
            width = 5 * (2 if both else 1) * (2 if pooling == "mean_max" else 1)
            parts = [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, outputs)] if hidden else [nn.Linear(width, outputs)]
            self.head = nn.Sequential(nn.Dropout(0.5), *parts)

        def forward(self, x):
            output, state = self.encoder(x if channels else self.emb(x))
            h_n = state[0] if cell == "LSTM" else state
            mean, maximum = output.mean(dim=1), output.amax(dim=1)
            read = {
                "last": torch.cat([h_n[-2], h_n[-1]], dim=1) if both else h_n[-1],
                "mean": mean, "max": maximum, "mean_max": torch.cat([mean, maximum], dim=1),
            }[pooling]  # fmt: skip
            return self.head(read)

    return Classifier()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "GRU", "layers": 2, "pooling": "mean"},
        {"cell": "RNN", "nonlinearity": "relu", "pooling": "max"},
        {"both": True, "layers": 2, "pooling": "mean_max", "hidden": 7},
        {"cell": "GRU", "both": True, "bias": False},
        {"channels": 3, "pooling": "mean_max"},
        {"channels": 3, "cell": "GRU", "both": True, "layers": 2},
    ],
    ids=str,
)
def test_networks_of_pytorch(options):
    import torch

    module = network(**options)
    kind = {"channels": options["channels"]} if "channels" in options else {"vocab": VOCAB, "tokenizer": "whitespace"}
    model = tern.from_torch(module, labels=LABELS, **kind)
    assert module.training
    module.eval()
    if "channels" in options:
        values = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
        batch, found = torch.from_numpy(values)[None], model.logits(values)
    else:
        ids = [2, 5, 19, 2, 7, 1]
        batch, found = torch.tensor([ids]), model.logits(" ".join(VOCAB[row] if row > 1 else "?" for row in ids))
    with torch.no_grad():
        assert np.allclose(found, module(batch)[0].numpy(), atol=1e-5)
    assert model.config["pooling"] == options.get("pooling", "last")


def test_a_sigmoid_and_a_forward_function():
    import torch

    module = network(outputs=1)
    model = tern.from_torch(
        module, labels=["no", "yes"], vocab=VOCAB, forward=lambda ids: module(ids).clone(), samples=[np.array([3, 4, 5])]
    )
    module.eval()
    with torch.no_grad():
        assert np.allclose(model.logits("w1 w2")[1], module(torch.tensor([[3, 4]])).item(), atol=1e-5)


def test_layers_that_cannot_be_expressed_are_named(tmp_path):
    from torch import nn

    class Convolution(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.lstm, self.fc = nn.Conv1d(3, 3, 1), nn.LSTM(3, 3), nn.Linear(3, 3)

    with pytest.raises(tern.TernError, match="`conv` is a Conv1d: Tern has no such layer; expected an Embedding"):
        tern.from_torch(Convolution(), labels=LABELS, channels=3, output=tmp_path / "m")
    with pytest.raises(tern.TernError, match=r"projections \(proj_size\) are not supported"):
        tern.from_torch(network(proj_size=2), labels=LABELS, vocab=VOCAB, forward=lambda ids: ids[:, :1], output=tmp_path / "m")
    attention = network()
    with pytest.raises(tern.TernError, match="have other logits; the first is output 0 of text 0"):
        tern.from_torch(attention, labels=LABELS, vocab=VOCAB, forward=lambda ids: attention(ids) * 2, output=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_the_exporters_of_pytorch(tmp_path):
    import torch

    for options in [{"cell": "GRU", "pooling": "mean"}, {"both": True, "hidden": 7}]:
        module = network(**options).eval()
        path = tmp_path / "m.onnx"
        torch.onnx.export(
            module, (torch.tensor([[2, 3, 4]]),), str(path), dynamo=False, input_names=["ids"],
            dynamic_axes={"ids": {1: "steps"}}, opset_version=17,
        )  # fmt: skip
        model = tern.from_onnx(path, labels=LABELS, vocab=VOCAB)
        with torch.no_grad():
            assert np.allclose(model.logits("w3 w4 w5"), module(torch.tensor([[5, 6, 7]]))[0].numpy(), atol=1e-5)

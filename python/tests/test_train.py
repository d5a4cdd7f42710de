"""Training and searching from data in memory, callbacks, interrupts, errors."""

import csv
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from conftest import messages, walks

import tern

SMALL = {"epochs": 2, "hidden_size": 4, "embedding_dim": 4, "ngram_buckets": 0, "baselines": False, "seed": 5}


def test_every_form_of_the_same_data_trains_the_same_model(pairs, tmp_path):
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    table = tmp_path / "data.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])
    frame = pd.DataFrame({"message": texts, "kind": labels})
    trained = [
        tern.train(table, **SMALL),
        tern.train(pairs, **SMALL),
        tern.train(texts, labels, **SMALL),
        tern.train((np.array(texts), np.array(labels)), **SMALL),
        tern.train(frame, text_column="message", label_column="kind", **SMALL),
    ]
    weights = {(model.path / "model.safetensors").read_bytes() for model in trained}
    assert len(weights) == 1
    assert trained[0].labels == sorted(set(labels))


def test_texts_with_quotes_and_line_breaks_are_read_as_they_are():
    odd = [pair for number in range(200)
           for pair in [(f'say "fire"\n\nnow {number}', "a"), (f"comma, tab\t{number}", "b")]]  # fmt: skip
    model = tern.train(odd, **{**SMALL, "epochs": 15, "learning_rate": 0.02})
    assert '"' in model.tokens and "," in model.tokens
    assert model.predict([text for text, _ in odd[:2]]).tolist() == ["a", "b"]


def test_sequences_of_numbers(walker):
    inputs, labels = walks(seed=2)
    predicted = walker.predict(inputs)
    assert (predicted == labels).mean() > 0.9
    assert walker.predict(inputs[0]) == predicted[0]
    frame = pd.DataFrame(inputs[0], columns=["left", "right"])
    assert walker.predict(frame) == predicted[0]
    assert walker.evaluate(inputs, labels)["accuracy"] == (predicted == labels).mean()
    device = walker.export()
    assert (device.predict(inputs) == predicted).mean() > 0.98
    probabilities = device.predict_proba(list(inputs[:3]))
    assert probabilities.shape == (3, 2) and np.allclose(probabilities.sum(axis=1), 1)
    with pytest.raises(tern.TernError, match="has 3 channels, expected 2, one for each of left, right"):
        walker.predict(np.zeros((5, 3)))


def test_a_frame_of_sequences():
    inputs, labels = walks(60)
    rows = [{"sequence": index, "label": label, "a": step[0], "b": step[1]}
            for index, (item, label) in enumerate(zip(inputs, labels)) for step in item]  # fmt: skip
    model = tern.train(pd.DataFrame(rows), input="values", epochs=1, hidden_size=4, folds=1)
    assert [channel["name"] for channel in model.config["channels"]] == ["a", "b"]


def test_forecast_of_a_series():
    series = np.sin(np.arange(400) / 6.0)
    model = tern.train(series, task="forecast", window=24, horizon=3, epochs=8, hidden_size=8, seed=1)
    predicted = model.predict(series[:300])
    assert predicted.shape == (3, 1)
    assert np.abs(predicted[:, 0] - series[300:303]).max() < 0.3
    assert np.abs(model.export().predict(series[:300]) - predicted).max() < 0.05
    assert model.evaluate(series)["rmse"] < 0.3


def test_callbacks_get_the_figures_of_each_epoch(pairs):
    figures, thread = [], []
    model = tern.train(
        pairs, callbacks=[figures.append, lambda _: thread.append(threading.get_ident())], **{**SMALL, "epochs": 3}
    )
    assert [line["epoch"] for line in figures] == [1, 2, 3]
    assert {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "learning_rate", "best"} <= set(figures[0])
    assert set(thread) == {threading.get_ident()}
    log = [json.loads(line) for line in (model.path / "log.jsonl").read_text().splitlines()]
    assert [line for line in log if "best" in line] == figures


def test_an_exception_in_a_callback_ends_the_training(pairs, tmp_path):
    def stop(figures):
        if figures["epoch"] == 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough") as raised:
        tern.train(pairs, output=tmp_path / "m", callbacks=[stop], **{**SMALL, "epochs": 60, "patience": 60})
    assert raised.value.model.metrics["epochs"] < 60
    resumed = tern.train(pairs, output=tmp_path / "m", resume=True, **{**SMALL, "epochs": 60, "patience": 60})
    whole = tern.train(pairs, output=tmp_path / "whole", **{**SMALL, "epochs": 60, "patience": 60})
    weights = [(model.path / "model.safetensors").read_bytes() for model in [resumed, whole]]
    assert weights[0] == weights[1] and resumed.metrics["epochs"] == 60


PROGRAM = """
import sys, tern
from conftest import messages
try:
    tern.train(messages(3000), output=sys.argv[1], epochs=100000, patience=100000, baselines=False,
               callbacks=[lambda figures: print(figures["epoch"], flush=True)])
except KeyboardInterrupt as interrupt:
    print("interrupted", interrupt.model.predict("fire and smoke") in interrupt.model.labels, flush=True)
"""


def test_ctrl_c_leaves_a_usable_model(tmp_path):
    output = tmp_path / "model"
    here = os.path.dirname(__file__)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(output)], cwd=here, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and rest.splitlines()[-1] == "interrupted True"
    assert time.monotonic() - start < 20
    assert tern.Model.load(output).metrics["ending"] == "interrupted"
    assert (tmp_path / "model.partial").is_dir()


def test_other_threads_run_during_a_training(pairs):
    ticks = []

    def tick():
        while not done.wait(0.001):
            ticks.append(time.monotonic())

    done = threading.Event()
    ticker = threading.Thread(target=tick)
    ticker.start()
    tern.train(pairs, **{**SMALL, "hidden_size": 64, "epochs": 10})
    done.set()
    ticker.join()
    assert max(np.diff(ticks)) < 0.5


def test_search_for_a_device(pairs):
    trials = []
    model = tern.fit(pairs, flash="6KB", trials=3, callbacks=[trials.append], epochs=4, seed=1)
    assert model.device.file_bytes <= 6 * 1024
    assert len(trials) == model.metrics["search"]["trials"].__len__()
    assert model.metrics["search"]["budget"]["flash"] == 6 * 1024
    assert model.device.predict("fire and smoke") == model.predict("fire and smoke")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"hiden_size": 3}, "unknown setting `hiden_size`; did you mean `hidden_size`?"),
        ({"epochs": 0}, "epochs is 0, expected 1 to 100000"),
        ({"cell": "lstn"}, "cell is \"lstn\", expected lstm, gru, rnn, rnn_relu; did you mean lstm?"),
        ({"output": __file__}, "exists and is not a Tern model directory"),
        ({"valid": "none.csv"}, "none.csv: No such file or directory"),
    ],
)  # fmt: skip
def test_errors_have_the_text_of_the_command(pairs, arguments, expected):
    with pytest.raises(tern.TernError) as raised:
        tern.train(pairs, **{**SMALL, **arguments})
    assert expected in str(raised.value)


def test_errors_of_data():
    for data, labels, expected in [
        (["a", "b"], ["x"], "2 inputs and 1 labels, expected one label for each input"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], ["x", "y"], "the sequences have [1, 2] channels"),
        ([("a", "x")] * 9, None, 'every label is "x", expected two labels or more'),
        (pd.DataFrame({"a": ["x"]}), None, "the frame has no column 'text'"),
    ]:
        with pytest.raises(tern.TernError) as raised:
            tern.train(data, labels)
        assert expected in str(raised.value)
    with pytest.raises(TypeError, match="expected pairs"):
        tern.train(["a", "b"])
    with pytest.raises(tern.TernError, match="flash is \"many\", expected a number of bytes, such as 32KB"):
        tern.fit(messages(30), flash="many")


def test_notes_go_to_the_log(pairs, caplog, capfd):
    with caplog.at_level("INFO", logger="tern"):
        tern.train(pairs, **SMALL)
    assert any("training texts of 3 classes" in message for message in caplog.messages)
    assert capfd.readouterr() == ("", "")


def test_a_temporary_model_is_saved_and_pickled(pairs, tmp_path):
    model = tern.train(pairs, **SMALL)
    text = pairs[0][0]
    saved = model.save(tmp_path / "kept")
    copy = pickle.loads(pickle.dumps(model))
    probabilities = model.predict_proba(text)
    del model
    assert np.array_equal(saved.predict_proba(text), probabilities)
    assert np.array_equal(copy.predict_proba(text), probabilities)
    with pytest.raises(tern.TernError, match="exists, expected the name of a new directory"):
        copy.save(tmp_path / "kept")

"""Trained models, device files and their sessions."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tern


def test_predictions_are_those_of_the_command(model, device, pairs):
    texts = [text for text, _ in pairs[:20]]
    for loaded in [tern.Model.load(model.path), tern.DeviceModel(device.path)]:
        command = [Path(sys.executable).with_name("tern"), "predict", loaded.path, "--json", *texts]
        lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        assert loaded.predict(texts).tolist() == [row["label"] for row in rows]
        probabilities = loaded.predict_proba(texts)
        assert np.allclose(probabilities.max(axis=1), [row["probability"] for row in rows], atol=1e-6)
        assert loaded.predict(texts[0]) == rows[0]["label"]


def test_a_text_without_a_known_token_has_no_label(device):
    assert device.predict("zzyzx") is None
    assert device.predict(["zzyzx", "fire"]).tolist() == [None, "alarm"]


def test_evaluation(model, device, pairs):
    figures = model.evaluate(pairs)
    predicted = model.predict([text for text, _ in pairs])
    assert figures["accuracy"] == np.mean(predicted == [label for _, label in pairs])
    assert device.evaluate(model.path / "validation.csv")["accuracy"] == device.report["integer_accuracy"]


def test_a_session_reads_pieces_of_any_size(device, pairs):
    session = device.session()
    for text, _ in pairs[:10]:
        for byte in text.encode():
            session.feed(bytes([byte]))
        logits = session.finish().logits()
        assert logits.dtype == np.int32
        assert np.array_equal(logits / 65536.0, device.logits(text))
        assert np.allclose(session.predict_proba(), device.predict_proba(text))
        assert (session.tokens, session.unknown) == (len(text.split()), 0)
        session.reset()
    with pytest.raises(tern.TernError, match="the model reads text"):
        session.feed(np.zeros((3, 1)))


def test_a_session_of_numbers(walker):
    from conftest import walks

    device = walker.export()
    inputs, _ = walks(4)
    session = device.session()
    for item in inputs:
        for step in item:
            session.feed(step[np.newaxis])
        assert np.array_equal(session.logits() / 65536.0, device.logits(item))
        session.reset()
    with pytest.raises(tern.TernError, match="the model reads numbers"):
        session.feed("text")
    with pytest.raises(tern.TernError, match="a number is missing or infinite"):
        session.feed(np.array([[np.nan, 1.0]]))
    with pytest.raises(tern.TernError, match="a model directory has no sessions"):
        walker._native.session(1)


def test_export_and_report(model, tmp_path):
    device = model.export(
        tmp_path / "m.safetensors", golden=["fire in room 3", "all is fine"], embedding_bits=4, c_array=tmp_path / "m.h"
    )
    assert device.report["golden_texts"] == 2 and device.report["file_bytes"] == device.file_bytes
    assert device.scratch_bytes > 0 and (tmp_path / "m.h").read_text().startswith("/* A device file of Tern")
    assert model.report(tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(tern.TernError, match="embedding_bits is 5, expected 4, 8 or 16"):
        model.export(embedding_bits=5)
    with pytest.raises(tern.TernError, match='packing is "x", expected paired16 or interleaved4'):
        model.export(packing="x")


def test_a_device_model_is_pickled(device):
    copy = pickle.loads(pickle.dumps(device))
    assert copy.path != device.path
    assert np.array_equal(copy.logits("fire"), device.logits("fire"))


def test_wrong_paths(tmp_path, model):
    with pytest.raises(tern.TernError, match="no config.json here, expected a model directory"):
        tern.Model(tmp_path)
    with pytest.raises(tern.TernError, match="a directory, expected a device file"):
        tern.DeviceModel(model.path)
    (tmp_path / "x.safetensors").write_bytes(b"no device file")
    with pytest.raises(tern.TernError):
        tern.DeviceModel(tmp_path / "x.safetensors")


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("tern")
    result = subprocess.run([command, "--version"], capture_output=True, check=True, text=True)
    assert result.stdout.strip() == f"tern {tern.__version__}"
    wrong = subprocess.run([command, "bake"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "unrecognized subcommand" in wrong.stderr

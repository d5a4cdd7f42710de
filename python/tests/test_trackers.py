"""The README's callbacks for experiment trackers. `cargo xtask python --trackers` runs this file."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import messages

pytestmark = pytest.mark.trackers

README = Path(__file__).parent.parent / "README.md"


def run_example(tracker, folder, monkeypatch):
    """Runs the README's example of one tracker, without network, in a folder with the data that it trains on. Returns
    the namespace in which it ran and the figures of each epoch."""
    section = README.read_text().split("## Callbacks for experiment trackers\n")[1].split("\n## ")[0]
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", section, re.S) if f"import {tracker}\n" in code)
    rows = "".join(f"{text},{label}\n" for text, label in messages())
    (folder / "messages.csv").write_text("text,label\n" + rows)
    monkeypatch.chdir(folder)
    names = {}
    exec("import tern\n" + example, names)
    log = [json.loads(line) for line in (names["model"].path / "log.jsonl").read_text().splitlines()]
    epochs = [row for row in log if "train_loss" in row]
    assert len(epochs) >= 2
    return names, epochs


def test_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    names, log = run_example("wandb", tmp_path, monkeypatch)
    # The figures of the last step are written at the end of the run.
    names["wandb"].run.finish()
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    # The file has each number as a JSON text.
    stored = path.read_bytes()
    assert all(json.dumps(row[key]).encode() in stored for row in log for key in ("train_loss", "valid_loss"))


def test_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    names, log = run_example("mlflow", tmp_path, monkeypatch)
    client = names["mlflow"].tracking.MlflowClient()
    run = names["mlflow"].last_active_run()
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(entry.step, entry.value) for entry in history] == [(row["epoch"], row["train_loss"]) for row in log]
    assert run.data.params == {"hidden_size": "32", "epochs": "20"}
    files = [entry.path for entry in client.list_artifacts(run.info.run_id, "model")]
    assert "model/model.safetensors" in files


def test_trackio(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    # trackio reads the variable when it is imported.
    assert "trackio" not in sys.modules
    _, log = run_example("trackio", tmp_path, monkeypatch)

    def ask(*arguments):
        command = [Path(sys.executable).with_name("trackio"), *arguments, "--project", "spam", "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    (run,) = ask("list", "runs")["runs"]
    values = ask("get", "metric", "--run", run, "--metric", "train_loss")["values"]
    assert [value["value"] for value in values] == [row["train_loss"] for row in log]
    config = ask("get", "run", "--run", run)["config"]
    assert (config["hidden_size"], config["epochs"]) == (32, 20)

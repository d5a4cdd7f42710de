"""The types that the package declares are those that it has."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from pathlib import Path
import numpy as np
import tern

model: tern.Model = tern.train("data.csv", epochs=3, callbacks=[lambda figures: print(figures["valid_loss"])])
device: tern.DeviceModel = model.export(Path("m.safetensors"), embedding_bits=4)
probabilities: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]" = device.predict_proba(["a", "b"])
logits = device.session().feed("text").finish().logits()
reveal_type(tern.TernClassifier(hidden_size=8).fit(["a"], ["b"]))
model.export(embedding_bits="four")
"""


def test_stubs_match_the_module():
    command = [sys.executable, "-m", "mypy.stubtest", "tern._tern"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_and_a_program_are_checked_by_mypy(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--cache-dir", str(tmp_path)]
    package = subprocess.run([*command, "-p", "tern"], capture_output=True, text=True, cwd=tmp_path)
    assert package.returncode == 0, package.stdout
    result = subprocess.run([*command, str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert 'error: Argument "embedding_bits" to "export" of "Model" has incompatible type "str"' in result.stdout
    assert "TernClassifier" in result.stdout and "Found 1 error" in result.stdout, result.stdout

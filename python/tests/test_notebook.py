"""The notebook runs from its first cell to its last."""

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


def test_the_notebook_runs(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is committed without outputs"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    figures = re.search(r"floats +(\S+)\nintegers +([\d.]+), (\d+) of 300 predictions differ", printed)
    assert figures and min(float(figures[1]), float(figures[2])) > 0.95 and int(figures[3]) <= 3, printed

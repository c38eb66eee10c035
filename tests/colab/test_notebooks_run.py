"""The notebook runs from top to bottom."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[1] / "colab" / "quickstart.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Parsing dates:DeprecationWarning")
def test_quickstart_runs_and_predicts(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDJAX_NOTEBOOK_DIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    outputs = [
        "".join(output.get("text", "") for output in cell.get("outputs", []))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert "16 classes" in outputs[1]
    assert "top-1" in outputs[3]
    lines = outputs[4].splitlines()
    assert len(lines) == 6
    assert all("%" in line for line in lines[1:])
    (shown,) = notebook.cells[-1]["outputs"]
    assert shown["data"]["text/html"].startswith("<div><iframe srcdoc=")

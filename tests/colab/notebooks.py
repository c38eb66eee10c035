"""Finds the notebooks, and the script that writes them."""

import importlib.util
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
COLAB = ROOT / "colab"
_SPEC = importlib.util.spec_from_file_location("render", COLAB / "render.py")
render = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(render)

NAMES = tuple(source.stem for source in render.sources())


def read(name):
    """Reads a notebook of the repository."""
    return nbformat.read(COLAB / f"{name}.ipynb", as_version=4)


def code(notebook):
    """Returns the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]

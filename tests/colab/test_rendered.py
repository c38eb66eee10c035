"""Tests that notebooks and badges are up to date with `colab/render.py`, and valid for Colab."""

import re

import nbformat
import pytest

from tests.colab.notebooks import COLAB, NAMES, ROOT, code, read, render

# A pinned version, such as jax==0.7 or numpy<2.
PINNED = re.compile(r"pip install[^\n]*[\w\]](==|<|~=|>=)\s*\d")


@pytest.mark.parametrize("file", render.rendered(), ids=lambda file: file.name)
def test_files_are_up_to_date_with_the_script(file):
    assert file.read_text("utf-8") == render.rendered()[file], "run python colab/render.py"


def test_every_notebook_has_a_source_and_is_listed():
    assert {file.stem for file in COLAB.glob("*.ipynb")} == set(NAMES)
    listed = (ROOT / "docs/notebooks.md").read_text("utf-8")
    assert sorted(re.findall(r"/colab/(\w+)\.ipynb", listed)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_with_a_badge_and_the_installation(name):
    notebook = read(name)
    nbformat.validate(notebook)
    title, install = notebook.cells[:2]
    heading, _, badge, *_ = title.source.splitlines()
    assert heading.startswith("# ")
    assert f"{render.COLAB}/github/{render.REPOSITORY}/blob/main/colab/{name}.ipynb" in badge
    assert install.source == render.INSTALL.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_no_outputs_and_pins_no_version(name):
    for cell in code(read(name)):
        assert cell.execution_count is None
        assert cell.outputs == []
        assert not PINNED.search(cell.source)


@pytest.mark.parametrize("name", NAMES)
def test_text_explains_the_cells(name):
    """At most three code cells follow one another, so that the text explains them."""
    kinds = "".join(cell.cell_type[0] for cell in read(name).cells)
    assert "cccc" not in kinds
    assert kinds.endswith("m")


def test_the_repository_address_is_defined_once():
    for file in (COLAB / "render.py", *(COLAB / "sources").glob("*.py")):
        assert render.REPOSITORY not in file.read_text("utf-8")


def test_a_changed_address_changes_badges_and_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "SITE", f"{render.COLAB}/github/someone/fork/blob/main/colab")
    for file, text in render.rendered().items():
        found = set(re.findall(r"/github/([\w.-]+/[\w.-]+)/blob/main/colab/", text))
        assert found == {"someone/fork"}, file


@pytest.mark.parametrize(
    ("source", "cells"),
    [
        (
            "# %% [markdown]\n# # A\n#\n# b\n\n# %%\na = 1\n",
            [("markdown", "# A\n\nb"), ("code", "a = 1")],
        ),
        ("# %%\n# !ls \\\n#     -l\n# a comment\n", [("code", "!ls \\\n    -l\n# a comment")]),
    ],
)
def test_sources_are_split_into_cells(source, cells):
    assert render.split(source) == cells

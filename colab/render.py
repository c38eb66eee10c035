"""Writes the notebooks of this folder from the Python files in `sources`.

A source is Python in cells: `# %% [markdown]` begins text, `# %%` begins code, and a line such as
`# !vidjax train` is a command. Each notebook gets a badge below its title, and `install.py` as its
first code cell. The badges in the documentation get the same address: `REPOSITORY` in `install.py`.

Example:
  python colab/render.py
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
INSTALL = (HERE / "install.py").read_text("utf-8")
REPOSITORY = re.findall(r'^REPOSITORY = "(.*)"', INSTALL, re.MULTILINE)[0]
COLAB = "https://colab.research.google.com"
SITE = f"{COLAB}/github/{REPOSITORY}/blob/main/colab"
# The URL of a notebook, with any name of the repository.
ADDRESS = re.compile(rf"{re.escape(COLAB)}/github/[\w.-]+/[\w.-]+/blob/main/colab(?=/)")
PAGES = ("README.md", "docs/notebooks.md")


def sources() -> list[Path]:
    """Returns the source files, one per notebook."""
    return sorted((HERE / "sources").glob("*.py"))


def badge(name: str) -> str:
    """Returns an "Open in Colab" badge in Markdown."""
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({SITE}/{name}.ipynb)"


def render(source: Path) -> str:
    """Returns a source's notebook as JSON text."""
    kinds, texts = zip(*split(source.read_text("utf-8")), strict=True)
    title, _, introduction = texts[0].partition("\n")
    first = f"{title}\n\n{badge(source.stem)}\n{introduction}"
    cells = [
        cell("markdown", first),
        cell("code", INSTALL.strip(), cellView="form"),
        *map(cell, kinds[1:], texts[1:]),
    ]
    for number, each in enumerate(cells):
        each["id"] = f"cell-{number}"
    notebook = {
        "cells": cells,
        "metadata": {
            "colab": {"provenance": []},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def split(source: str) -> list[tuple[str, str]]:
    """The cells of a source: their kinds and texts, without the markers."""
    _, *parts = re.split(r"^# %%(.*)\n", source, flags=re.MULTILINE)
    return [
        ("markdown", uncommented(text)) if "markdown" in kind else ("code", commands(text))
        for kind, text in zip(parts[::2], parts[1::2], strict=True)
    ]


def uncommented(text: str) -> str:
    """Text without the signs of comments."""
    return re.sub(r"^# ?", "", text, flags=re.MULTILINE).strip()


def commands(text: str) -> str:
    """Code in which `# !command` is `!command`, with the lines that continue it."""
    found = re.compile(r"^# !(?:.*\\\n)*.*", re.MULTILINE)
    return found.sub(lambda command: uncommented(command[0]), text).strip()


def cell(kind: str, text: str, **metadata: str) -> dict[str, Any]:
    """A cell of a notebook that has not run."""
    made: dict[str, Any] = {"cell_type": kind, "metadata": metadata}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | {"source": text.splitlines(keepends=True)}


def rendered() -> dict[Path, str]:
    """Every file that this command writes, with its text."""
    notebooks = {HERE / f"{source.stem}.ipynb": render(source) for source in sources()}
    pages = {
        page: ADDRESS.sub(SITE, page.read_text("utf-8"))
        for page in (HERE.parent / name for name in PAGES)
    }
    return notebooks | pages


def main() -> None:
    """Writes the notebooks, and the addresses into the pages."""
    for file, text in rendered().items():
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()

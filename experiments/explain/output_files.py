"""Writes explanations into new files, never over existing ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes


def new_files(output: Path, *names: str) -> list[Path]:
    """Returns paths of new files in a folder, which need not exist.

    Raises:
      ValueError: the folder is a file, or one of the files exists.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is a file; name a folder")
    files = [output / name for name in names]
    for file in files:
        if file.exists():
            raise ValueError(f"{file} exists already; name another --output or move it away")
    return files


def write_figure(file: Path, figure: Any, *, dpi: int = 110, **settings: Any) -> None:
    """Writes a Matplotlib figure as PNG.

    Args:
      file: PNG file to write.
      figure: the figure.
      dpi: pixels per inch.
      settings: further arguments of `savefig`, such as `bbox_inches`.
    """
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=dpi, **settings)

"""Where an explanation is written: never over another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes


def new_files(output: Path, *names: str) -> list[Path]:
    """Files of these names in a folder, which need not be there.

    Raises:
      ValueError: the folder is a file, or one of the files is there already.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is a file; name a folder")
    files = [output / name for name in names]
    for file in files:
        if file.exists():
            raise ValueError(f"{file} is there already; name another --output or move it away")
    return files


def write_figure(file: Path, figure: Any, *, dpi: int = 110, **settings: Any) -> None:
    """Writes a figure of Matplotlib as PNG.

    Args:
      file: to be written.
      figure: of Matplotlib.
      dpi: pixels an inch.
      settings: of `savefig`, such as `bbox_inches`.
    """
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=dpi, **settings)

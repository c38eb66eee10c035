"""Where an explanation is written: never over another."""

from __future__ import annotations

from pathlib import Path


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

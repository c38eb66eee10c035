"""Refuses paths at which Orbax would write arrays that it cannot read again."""

from __future__ import annotations

from pathlib import Path


class ArrayPathError(ValueError):
    """Arrays cannot be stored at a path."""


def check_array_path(directory: Path, *, read_only: bool = False) -> None:
    """Refuses a path at which arrays could be written but not read again.

    Orbax takes a bracket in the path for a pattern when it collects what it has written.
    TensorStore takes a backslash for a slash, and `name:/` for the start of a URL.

    Args:
      directory: folder of the arrays.
      read_only: whether they were written elsewhere and will only be read.

    Raises:
      ArrayPathError: names the path and the character.
    """
    path = directory.absolute().as_posix()
    if path.startswith("s3://"):
        raise ArrayPathError(
            f"{path}: Orbax cannot store arrays at s3://; choose a local folder, or one at gs://"
        )
    path = path.removeprefix("gs://")
    signs = ("\\", ":/") if read_only else ("[", "\\", ":/")
    # A drive letter of Windows is not a URL.
    found = next((sign for sign in signs if sign in path[3:]), None)
    if found is not None:
        raise ArrayPathError(
            f"{path}: arrays cannot be stored at a path with '{found}' in it; choose another folder"
        )

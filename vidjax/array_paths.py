"""Paths at which libraries would write arrays that they cannot read again."""

from __future__ import annotations

from pathlib import Path


class PlaceError(ValueError):
    """Arrays cannot be kept at a path."""


def check_place(directory: Path, *, read_only: bool = False) -> None:
    """Refuses a path at which arrays would be written and never be read again.

    Orbax takes a bracket in it for a pattern when it collects what it has written; TensorStore
    takes a backslash for a slash and `name:/` for the start of an address.

    Args:
      directory: of the arrays.
      read_only: whether they were written elsewhere and are only to be read.

    Raises:
      PlaceError: names path and character.
    """
    path = directory.absolute().as_posix()
    if path.startswith("s3://"):
        raise PlaceError(
            f"{path}: Orbax keeps no arrays at s3://; name a local folder, or one of gs://"
        )
    path = path.removeprefix("gs://")
    signs = ("\\", ":/") if read_only else ("[", "\\", ":/")
    # A drive of Windows is no address.
    found = next((sign for sign in signs if sign in path[3:]), None)
    if found is not None:
        raise PlaceError(
            f"{path}: arrays cannot be kept at a path with '{found}' in it; name another folder"
        )

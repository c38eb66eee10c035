"""Weights at a URL that a program can download."""

from __future__ import annotations

import functools
from pathlib import Path

from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.checksum import check_whole
from vidjax.trained.published.downloading import DownloadError, download
from vidjax.trained.weights_name import WeightsError


def takes(row: Checkpoint) -> bool:
    """Returns whether the URL is that of the file itself."""
    return row.direct


def found(row: Checkpoint) -> Path | None:
    """Returns None: there is no file outside the cache."""
    del row
    return None


def fetch(row: Checkpoint) -> Path:
    """Downloads the file into the cache.

    Raises:
      WeightsError: the file cannot be downloaded or written; names URL, file and path.
    """
    file = cache.cached_file(row)
    try:
        download(row.url, file, functools.partial(check_whole, row=row))
    except DownloadError as error:
        raise WeightsError(
            f"{row.file} cannot be downloaded from {row.url} ({error}); "
            f"{cache.manual_instructions(row)}"
        ) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise WeightsError(
            f"{row.file} cannot be written to {file.parent} ({why}): set {cache.VARIABLE} to a "
            "writable folder"
        ) from None
    return file

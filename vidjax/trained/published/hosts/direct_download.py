"""Weights at an address that a program can fetch."""

from __future__ import annotations

import functools
from pathlib import Path

from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.checksum import check_whole
from vidjax.trained.published.downloading import DownloadError, download
from vidjax.trained.weights_name import WeightsError


def takes(row: Checkpoint) -> bool:
    """Whether the address is that of the file."""
    return row.direct


def found(row: Checkpoint) -> Path | None:
    """Nothing lies outside the cache."""
    del row
    return None


def fetch(row: Checkpoint) -> Path:
    """Downloads the file into the cache.

    Raises:
      WeightsError: it cannot be fetched or kept; names address, file and place.
    """
    file = cache.place(row)
    try:
        download(row.url, file, functools.partial(check_whole, row=row))
    except DownloadError as error:
        raise WeightsError(
            f"{row.file} cannot be fetched from {row.url} ({error}); {cache.by_hand(row)}"
        ) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise WeightsError(
            f"{row.file} cannot be kept in {file.parent} ({why}): set {cache.VARIABLE} to a "
            "folder that can be written"
        ) from None
    return file

"""Weights behind a page that people must visit, such as a folder of Google Drive."""

from __future__ import annotations

from pathlib import Path

from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError


def takes(row: Checkpoint) -> bool:
    """Whether the address is that of a page."""
    return not row.direct and row.url.startswith("http")


def found(row: Checkpoint) -> Path | None:
    """Nothing lies outside the cache."""
    del row
    return None


def fetch(row: Checkpoint) -> Path:
    """Says what to get, and where to put it.

    Raises:
      WeightsError: always.
    """
    what = row.there or "the file"
    raise WeightsError(
        f"{row.name} has to be fetched by hand: get {what} from {row.url} and put it at "
        f"{cache.place(row)}"
    )

"""Weights behind a web page that the user must visit, such as a Google Drive folder."""

from __future__ import annotations

from pathlib import Path

from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError


def takes(row: Checkpoint) -> bool:
    """Returns whether the URL is that of a page."""
    return not row.direct and row.url.startswith("http")


def found(row: Checkpoint) -> Path | None:
    """Returns None: there is no file outside the cache."""
    del row
    return None


def fetch(row: Checkpoint) -> Path:
    """Tells the user what to download, and where to put it.

    Raises:
      WeightsError: always.
    """
    what = row.there or "the file"
    raise WeightsError(
        f"{row.name} must be downloaded by hand: get {what} from {row.url} and put it at "
        f"{cache.cached_file(row)}"
    )

"""Identifies which published checkpoint a user's file is."""

from __future__ import annotations

from pathlib import Path

from vidjax.trained.published import registry
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.checksum import check_sum, has_sum
from vidjax.trained.weights_name import WeightsError


def row_of(network: str, file: Path) -> Checkpoint | None:
    """Returns the row of the registry that a file certainly is, or None.

    The file must have the name that the publisher or the cache gives it. If a checksum is
    published, that must match too; otherwise no other file of the network may have that name.

    Args:
      network: as in `list_models()`.
      file: the user's file.
    """
    named = [
        row for row in registry.checkpoints() if row.network == network and file.name in _names(row)
    ]
    summed = [row for row in named if has_sum(row) and _is(file, row)]
    rest = [row for row in named if not has_sum(row)]
    found = summed or rest
    return found[0] if len(found) == 1 else None


def _names(row: Checkpoint) -> set[str]:
    """Returns the possible names of a row's file."""
    return {name.rpartition("/")[2] for name in (row.file, row.there or "", row.url) if name}


def _is(file: Path, row: Checkpoint) -> bool:
    try:
        check_sum(file, row)
    except WeightsError:
        return False
    return True

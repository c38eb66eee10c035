"""Which published checkpoint a file of a user is."""

from __future__ import annotations

from pathlib import Path

from vidjax.trained.published import registry
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.checksum import check_sum, has_sum
from vidjax.trained.weights_name import WeightsError


def row_of(network: str, file: Path) -> Checkpoint | None:
    """The row of the registry that a file is, where that is certain.

    It has the name that the publisher or the cache gives it. Where a checksum is published, it has
    that too; where none is, no other file of the network may have that name.

    Args:
      network: as in `list_models()`.
      file: of a user.
    """
    named = [
        row for row in registry.checkpoints() if row.network == network and file.name in _names(row)
    ]
    summed = [row for row in named if has_sum(row) and _is(file, row)]
    rest = [row for row in named if not has_sum(row)]
    found = summed or rest
    return found[0] if len(found) == 1 else None


def _names(row: Checkpoint) -> set[str]:
    """What a file of a row may be called."""
    return {name.rpartition("/")[2] for name in (row.file, row.there or "", row.url) if name}


def _is(file: Path, row: Checkpoint) -> bool:
    try:
        check_sum(file, row)
    except WeightsError:
        return False
    return True

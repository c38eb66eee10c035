"""Checks whether a file is the published one."""

from __future__ import annotations

from pathlib import Path

import pooch

from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError


def has_sum(row: Checkpoint) -> bool:
    """Returns whether the publisher states a checksum, or the beginning of one."""
    return bool(row.sha256 or row.sha256_prefix)


def check_sum(file: Path, row: Checkpoint) -> None:
    """Compares a file's size and SHA-256 with the published ones.

    Raises:
      WeightsError: they differ; names the file.
    """
    size = file.stat().st_size
    if row.bytes is not None and size != row.bytes:
        raise WeightsError(f"{file} has {size:,} bytes, but {row.name} has {row.bytes:,}")
    if not has_sum(row):
        return
    wanted, found = row.sha256 or row.sha256_prefix or "", pooch.file_hash(str(file))
    if not found.startswith(wanted):
        raise WeightsError(
            f"{file} has SHA-256 {found[:16]}..., but {row.name} has {wanted[:16]}..."
        )


def check_whole(file: Path, row: Checkpoint) -> None:
    """Does `check_sum`; if no checksum is published, checks that all tensors can be read.

    Raises:
      ValueError: it is another file, or is damaged; names the file.
    """
    check_sum(file, row)
    if not has_sum(row):
        read_tensors(file)

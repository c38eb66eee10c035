"""Finds the file of published weights: on this machine, or by downloading it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import vidjax.trained.published.hosts
from vidjax.trained.published import cache
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.checksum import check_sum
from vidjax.trained.weights_name import WeightsError


class Place(Protocol):
    """A kind of host; see `vidjax.trained.published.hosts`."""

    def takes(self, row: Checkpoint) -> bool:
        """Returns whether a checkpoint is on this kind of host."""

    def found(self, row: Checkpoint) -> Path | None:
        """Returns its file if it is on this machine outside the cache."""

    def fetch(self, row: Checkpoint) -> Path:
        """Fetches its file."""


def local_file(row: Checkpoint) -> Path | None:
    """Returns the file of a checkpoint if it is on this machine."""
    placed = cache.cached_file(row)
    return placed if placed.is_file() else _place_of(row).found(row)


def file_of(rows: Sequence[Checkpoint], path: Path | None = None) -> tuple[Checkpoint, Path]:
    """Finds a file, and tells which of the checkpoints with a tag it is.

    Args:
      rows: the checkpoints, the preferred one first. Those on this machine come first, then those
        that can be downloaded.
      path: the user's own file; None finds or downloads one.

    Raises:
      WeightsError: there is no such file, or it is not the published one.
    """
    if path is not None:
        return _of_user(rows, path)
    for row in rows:
        if (file := local_file(row)) is not None:
            _check(file, row)
            return row, file
    row = next((row for row in rows if row.direct), rows[0])
    try:
        return row, _place_of(row).fetch(row)
    except WeightsError as error:
        raise WeightsError(f"{error}{_others(rows, row)}") from None


def _of_user(rows: Sequence[Checkpoint], path: Path) -> tuple[Checkpoint, Path]:
    """Returns the first checkpoint whose checksum the file does not contradict."""
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    wrong = None
    for row in rows:
        try:
            check_sum(path, row)
        except WeightsError as error:
            wrong = wrong or error
        else:
            return row, path
    raise WeightsError(f"{wrong}: name it {rows[0].network}:{path} to use it as it is")


def _check(file: Path, row: Checkpoint) -> None:
    try:
        check_sum(file, row)
    except WeightsError as error:
        raise WeightsError(
            f"{error}: it was truncated or replaced; remove it to download it again, or name "
            f"it {row.network}:{file} to use it as it is"
        ) from None


def _others(rows: Sequence[Checkpoint], row: Checkpoint) -> str:
    """Tells which Python packages have other weights of the tag, as the end of an error message."""
    for other in rows:
        if other is not row and not other.direct and not other.url.startswith("http"):
            try:
                _place_of(other).fetch(other)
            except WeightsError as error:
                return f". Or: {error}"
    return ""


def _place_of(row: Checkpoint) -> Place:
    return next(place for place in _places() if place.takes(row))


@functools.cache
def _places() -> tuple[Place, ...]:
    modules = pkgutil.iter_modules(vidjax.trained.published.hosts.__path__)
    return tuple(
        importlib.import_module(f"vidjax.trained.published.hosts.{info.name}") for info in modules
    )

"""Which file published weights are in: at hand, or fetched."""

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
    """A kind of place; see `vidjax.trained.published.hosts`."""

    def takes(self, row: Checkpoint) -> bool:
        """Whether a checkpoint lies in such a place."""

    def found(self, row: Checkpoint) -> Path | None:
        """Its file, if it is on this machine outside the cache."""

    def fetch(self, row: Checkpoint) -> Path:
        """Its file, fetched."""


def at_hand(row: Checkpoint) -> Path | None:
    """The file of a checkpoint if it is on this machine."""
    placed = cache.place(row)
    return placed if placed.is_file() else _place_of(row).found(row)


def file_of(rows: Sequence[Checkpoint], path: Path | None = None) -> tuple[Checkpoint, Path]:
    """A file, and which of the checkpoints that a tag may mean it is.

    Args:
      rows: the checkpoints, the preferred first. One at hand is taken before one to be fetched,
        and of the others one that a program can fetch.
      path: a file that the user has; None finds or fetches one.

    Raises:
      WeightsError: there is none, or it is not what was published.
    """
    if path is not None:
        return _of_user(rows, path)
    for row in rows:
        if (file := at_hand(row)) is not None:
            _check(file, row)
            return row, file
    row = next((row for row in rows if row.direct), rows[0])
    try:
        return row, _place_of(row).fetch(row)
    except WeightsError as error:
        raise WeightsError(f"{error}{_others(rows, row)}") from None


def _of_user(rows: Sequence[Checkpoint], path: Path) -> tuple[Checkpoint, Path]:
    """The first checkpoint that the sum of a file does not contradict."""
    if not path.is_file():
        raise WeightsError(f"{path} is no file")
    wrong = None
    for row in rows:
        try:
            check_sum(path, row)
        except WeightsError as error:
            wrong = wrong or error
        else:
            return row, path
    raise WeightsError(f"{wrong}: give the file as {rows[0].network}:{path} to take it as it is")


def _check(file: Path, row: Checkpoint) -> None:
    try:
        check_sum(file, row)
    except WeightsError as error:
        raise WeightsError(
            f"{error}: it was cut short or replaced; remove it to have it fetched again, or give "
            f"it as {row.network}:{file} to take it as it is"
        ) from None


def _others(rows: Sequence[Checkpoint], row: Checkpoint) -> str:
    """How else weights of a tag can be had from packages, as the end of an error."""
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

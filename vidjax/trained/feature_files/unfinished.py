"""A file of features that is being made: a folder beside it, in which rows gather.

`features.npz.unfinished` holds numbered pieces, each a whole file of features. A process that is
killed loses what it has not saved yet, some seconds of work; the next one with the same settings
goes on behind the last piece. The folder belongs to one process at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.settings import shown
from vidjax.storage.ownership import owned, remove_owned
from vidjax.storage.writing import is_there, make_folder, refuse_link, sweep
from vidjax.trained.feature_files.files import kind_of, read_features, write_blocks, write_features
from vidjax.trained.feature_files.table import TEXTS, Features, FeaturesError, joined
from vidjax.untrusted_names import told

# Seconds of work that a kill may cost.
_SAVED_EVERY = 10.0


@dataclass(frozen=True)
class Row:
    """One row: features `[C]`, and the values of the columns."""

    features: np.ndarray
    video: str
    label: str
    split: str
    group: str
    start: float
    end: float
    clip: int


class Skipped(msgspec.Struct):
    """A video that could not be read, or not to its end, and why."""

    video: str
    error: str


class Position(msgspec.Struct, frozen=True):
    """How far the work is: `video` of the list is next, and `rows` of its rows are there."""

    video: records.Count = 0
    rows: records.Count = 0


class _State(msgspec.Struct):
    """What a piece says of all work until its end."""

    settings: dict[str, Any]
    position: Position
    skipped: list[Skipped]


class Unfinished:
    """Rows of a file that is being made, those of earlier processes too.

    Attributes:
      position: where to go on.
      skipped: videos that could not be read.
      count: rows so far.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], dtype: str) -> None:
        self._folder, self._settings, self._dtype = folder, settings, dtype
        self._pieces: list[Path] = []
        self._rows: list[Row] = []
        self._saved = time.monotonic()
        self.position, self.skipped, self.count = Position(), list[Skipped](), 0
        for piece in self._there():
            table = read_features(piece)
            state = records.converted(dict(table.about), _State)
            self._refuse_others(state.settings)
            self.position, self.skipped = state.position, state.skipped
            self.count += len(table)
            self._pieces.append(piece)

    def add(self, row: Row) -> None:
        """Takes a row of the video that is next."""
        self._rows.append(row)
        self.count += 1
        self.position = Position(self.position.video, self.position.rows + 1)
        self._save_in_time()

    def end_video(self, skipped: Skipped | None = None) -> None:
        """Goes on to the next video.

        Args:
          skipped: why this one has no more rows, where it should have.
        """
        if skipped:
            self.skipped.append(skipped)
        self.position = Position(self.position.video + 1, 0)
        self._save_in_time()

    def save(self) -> None:
        """Writes a piece of what came since the last one, if there are rows at all.

        Raises:
          OSError: it cannot be written.
        """
        if not self.count:
            return
        state = _State(dict(self._settings), self.position, self.skipped)
        piece = self._folder / f"{len(self._pieces):06}.npz"
        write_features(piece, _table(self._rows, self._dtype, msgspec.to_builtins(state)))
        self._pieces.append(piece)
        self._rows, self._saved = [], time.monotonic()

    def finish(self, output: Path, about: Mapping[str, Any]) -> None:
        """Writes the file.

        Raises:
          FeaturesError: there are no rows.
          OSError: it cannot be written.
        """
        if not self.count:
            raise FeaturesError(f"no video could be read: {self._first_error()}")
        self.save()
        # Features are read once more, piece by piece: they may be more than memory holds.
        small = [_without_features(read_features(piece)) for piece in self._pieces]
        width = max(width for _, width in small)
        columns = replace(joined([columns for columns, _ in small]), about=about)
        blocks = (read_features(piece).features for piece in self._pieces)
        filled = (block for block in blocks if len(block))
        write_blocks(output, columns, (len(columns), width), self._dtype, filled)

    def _first_error(self) -> str:
        return self.skipped[0].error if self.skipped else "there is none"

    def _save_in_time(self) -> None:
        if time.monotonic() - self._saved >= _SAVED_EVERY:
            self.save()

    def _there(self) -> Iterator[Path]:
        for number in itertools.count():
            piece = self._folder / f"{number:06}.npz"
            if not is_there(piece):
                return
            yield piece

    def _refuse_others(self, settings: Mapping[str, Any]) -> None:
        theirs, ours = _flat(settings), _flat(self._settings)
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                raise FeaturesError(
                    f"{told(str(self._folder))} was begun with {name} = {shown(theirs.get(name))}, "
                    f"not {shown(ours.get(name))}: give the same settings to go on, or remove the "
                    "folder"
                )


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings by their paths, such as `preprocessing.size`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, dict)
        found |= _flat(value, f"{before}{name}.") if inner else {f"{before}{name}": value}
    return found


@contextlib.contextmanager
def making(output: Path, settings: Mapping[str, Any], dtype: str) -> Iterator[Unfinished]:
    """Owns what is being made of a file while the context is open; what there is is saved.

    Where the file is there when the context ends, the folder beside it is removed.

    Args:
      output: `.npz` or `.h5`, which is not there yet.
      settings: what must not change until the file is complete, of JSON's types.
      dtype: `float16` or `float32`.

    Raises:
      FeaturesError: the file is there, or was begun with other settings.
      InUseError: another process is making it.
      LinkError: a link stands in the folder's place.
    """
    kind_of(output)
    _refuse_there(output)
    folder = output.with_name(f"{output.name}.unfinished")
    refuse_link(folder)
    make_folder(folder)
    with owned(folder):
        try:
            _refuse_there(output)
            sweep(folder, owned=True)
            rows = Unfinished(folder, settings, dtype)
            with _kept(rows):
                yield rows
        finally:
            if is_there(output) or not any(folder.glob("*.npz")):
                remove_owned(folder)


@contextlib.contextmanager
def _kept(rows: Unfinished) -> Iterator[None]:
    """Saves what there is when work ends early."""
    try:
        yield
    except BaseException:
        if rows.count:
            rows.save()
        raise


def _refuse_there(output: Path) -> None:
    if is_there(output):
        raise FeaturesError(f"{told(str(output))} is there already; name another --output")


def _without_features(table: Features) -> tuple[Features, int]:
    """The other columns, and C; 0 where there are no rows."""
    features = np.empty((len(table), 0), table.features.dtype)
    return replace(table, features=features), table.features.shape[1] if len(table) else 0


def _table(rows: Sequence[Row], dtype: str, about: Mapping[str, Any]) -> Features:
    width = len(rows[0].features) if rows else 1
    features = np.array([row.features for row in rows], dtype).reshape(len(rows), width)
    texts = {name: np.array([getattr(row, name) for row in rows], np.str_) for name in TEXTS}
    return Features(
        features,
        **texts,
        start=np.array([row.start for row in rows], np.float64),
        end=np.array([row.end for row in rows], np.float64),
        clip=np.array([row.clip for row in rows], np.int64),
        about=about,
    )

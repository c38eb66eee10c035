"""An unfinished feature file: a folder beside it that collects rows.

`features.npz.unfinished` holds numbered pieces, each a complete feature file. A killed process
loses only its unsaved work, a few seconds. The next process with the same settings resumes after
the last piece. The folder belongs to one process at a time.
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
from vidjax.storage.writing import is_there, make_folder, refuse_link, remove_unfinished
from vidjax.trained.feature_files.files import kind_of, read_features, write_blocks, write_features
from vidjax.trained.feature_files.table import TEXTS, Features, FeaturesError, joined
from vidjax.untrusted_names import printable

# Seconds of work that a killed process may lose.
_SAVED_EVERY = 10.0


@dataclass(frozen=True)
class Row:
    """One row: features `[C]`, and the values of the other columns."""

    features: np.ndarray
    video: str
    label: str
    split: str
    group: str
    start: float
    end: float
    clip: int


class Skipped(msgspec.Struct):
    """A video that could not be read, or not to its end, and the reason."""

    video: str
    error: str


class Position(msgspec.Struct, frozen=True):
    """The progress: index of the next video, and how many of its rows exist."""

    video: records.Count = 0
    rows: records.Count = 0


class _State(msgspec.Struct):
    """The state of the whole extraction at the end of a piece."""

    settings: dict[str, Any]
    position: Position
    skipped: list[Skipped]


class Unfinished:
    """The rows of an unfinished file, including those of earlier processes.

    Attributes:
      position: where to resume.
      skipped: videos that could not be read.
      count: number of rows so far.
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
        """Adds a row of the current video."""
        self._rows.append(row)
        self.count += 1
        self.position = Position(self.position.video, self.position.rows + 1)
        self._save_in_time()

    def end_video(self, skipped: Skipped | None = None) -> None:
        """Moves on to the next video.

        Args:
          skipped: why the current video has fewer rows than it should.
        """
        if skipped:
            self.skipped.append(skipped)
        self.position = Position(self.position.video + 1, 0)
        self._save_in_time()

    def save(self) -> None:
        """Saves the rows since the last piece as a new piece, if there are any.

        Raises:
          OSError: the piece cannot be written.
        """
        if not self.count:
            return
        state = _State(dict(self._settings), self.position, self.skipped)
        piece = self._folder / f"{len(self._pieces):06}.npz"
        write_features(piece, _table(self._rows, self._dtype, msgspec.to_builtins(state)))
        self._pieces.append(piece)
        self._rows, self._saved = [], time.monotonic()

    def finish(self, output: Path, about: Mapping[str, Any]) -> None:
        """Writes the complete file.

        Raises:
          FeaturesError: there are no rows.
          OSError: the file cannot be written.
        """
        if not self.count:
            raise FeaturesError(f"no video could be read: {self._first_error()}")
        self.save()
        # The pieces are read back one by one, as all features together may exceed the memory.
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
                    f"{printable(str(self._folder))} was begun with {name} = "
                    f"{shown(theirs.get(name))}, not {shown(ours.get(name))}: use the same "
                    "settings to resume, or remove the folder"
                )


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Flattens settings to paths, such as `preprocessing.size`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, dict)
        found |= _flat(value, f"{before}{name}.") if inner else {f"{before}{name}": value}
    return found


@contextlib.contextmanager
def making(output: Path, settings: Mapping[str, Any], dtype: str) -> Iterator[Unfinished]:
    """Owns an unfinished file while the context is open, and saves its rows at the end.

    If the complete file exists when the context ends, the folder beside it is removed.

    Args:
      output: the `.npz` or `.h5` file, which does not exist yet.
      settings: settings that must stay the same until the file is complete, of JSON types.
      dtype: `float16` or `float32`.

    Raises:
      FeaturesError: the file exists, or was begun with other settings.
      InUseError: another process is writing it.
      LinkError: there is a link in place of the folder.
    """
    kind_of(output)
    _refuse_there(output)
    folder = output.with_name(f"{output.name}.unfinished")
    refuse_link(folder)
    make_folder(folder)
    with owned(folder):
        try:
            _refuse_there(output)
            remove_unfinished(folder, owned=True)
            rows = Unfinished(folder, settings, dtype)
            with _kept(rows):
                yield rows
        finally:
            if is_there(output) or not any(folder.glob("*.npz")):
                remove_owned(folder)


@contextlib.contextmanager
def _kept(rows: Unfinished) -> Iterator[None]:
    """Saves the rows if the work ends early."""
    try:
        yield
    except BaseException:
        if rows.count:
            rows.save()
        raise


def _refuse_there(output: Path) -> None:
    if is_there(output):
        raise FeaturesError(f"{printable(str(output))} exists already; choose another --output")


def _without_features(table: Features) -> tuple[Features, int]:
    """Returns the other columns, and C; 0 if there are no rows."""
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

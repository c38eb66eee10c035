"""Writes `metrics.csv` for spreadsheets: one row per step and split, one column per number.

Rows after the checkpoint that a run resumes from are moved to `metrics-interrupted.csv`. Times are
left out, so that equal runs have equal tables.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.data import tables
from vidjax.run.config import Config, ConfigError
from vidjax.storage.paths import is_url
from vidjax.storage.writing import appending, refuse_link, sync, write_bytes, writing

_FIRST = ("step", "split")
Row = Mapping[str, Any]


class Table:
    """A CSV file that grows by rows, and by columns if a row has new names.

    Cells and column names are as in the file (`vidjax.data.tables.cells`).

    Args:
      file: the table; it is created with the first row.

    Raises:
      ConfigError: the file exists but is not such a table.
      LinkError: it is a link.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._columns = list(_FIRST)
        self._stream: io.TextIOWrapper | None = None
        refuse_link(file)
        self._begun = file.exists()
        if self._begun:
            self._cut()
            self._columns = tables.columns(file, ConfigError) or list(_FIRST)

    def rows(self) -> list[dict[str, str]]:
        """Returns the rows by column, as they are in the file.

        Raises:
          ConfigError: names the invalid line.
        """
        if not self._begun:
            return []
        return [row for _, row in tables.rows(self._file, _FIRST, fault=ConfigError)]

    def add(self, rows: Sequence[Row]) -> None:
        """Adds rows at the end."""
        new = dict.fromkeys(itertools.chain.from_iterable(rows))
        if not self._begun or new.keys() - set(self._columns):
            self.close()
            self.replace([*self.rows(), *rows])
            return
        if self._stream is None:
            self._stream = appending(self._file)
        self._write(self._stream, rows)
        self._stream.flush()
        # A bucket's object is read once and kept open; a disk's file is opened for each row.
        if not is_url(self._file):
            self.close()

    def replace(self, rows: Sequence[Row]) -> None:
        """Rewrites the table with its columns and those of the rows."""
        found = itertools.chain(self._columns, *rows)
        self._columns = list(dict.fromkeys(found))
        with writing(self._file) as stream:
            csv.writer(stream, lineterminator="\n").writerow(self._columns)
            self._write(stream, rows)
        self._begun = True

    def flush(self) -> None:
        """Returns when all rows are safe."""
        if self._stream is not None:
            sync(self._stream)

    def close(self) -> None:
        """Finishes writing; more rows may follow."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write(self, stream: Any, rows: Iterable[Row]) -> None:
        lines = ([row.get(name, "") for name in self._columns] for row in rows)
        csv.writer(stream, lineterminator="\n").writerows(lines)

    def _cut(self) -> None:
        """Removes an incomplete last row, which a kill may leave; `metrics.jsonl` has it too."""
        data = records.content(self._file, records.MOST_OF_TABLE, ConfigError)
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            write_bytes(self._file, whole)


class Metrics:
    """Writes numbers to a table. Numbers that are not finite are empty cells.

    Args:
      workdir: work directory of the run.
      step: step that the run resumes after.

    Raises:
      ConfigError: an existing table is damaged.
    """

    def __init__(self, workdir: Path, step: int) -> None:
        file = workdir / "metrics.csv"
        self._table = Table(file)
        until: list[Row] = []
        later: list[Row] = []
        for row in self._table.rows():
            (until if _step(row, file) <= step else later).append(row)
        if later:
            # The moved rows are on disk before they are removed here.
            aside = Table(workdir / "metrics-interrupted.csv")
            aside.add(later)
            aside.close()
            self._table.replace(until)

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        if split.startswith("timing/"):
            return
        finite = [value if math.isfinite(value) else "" for value in numbers.values()]
        named = zip(tables.cells(numbers), finite, strict=True)
        (guarded,) = tables.cells([split])
        self._table.add([{"step": step, "split": guarded, **dict(named)}])

    def flush(self) -> None:
        """As in `Writer`."""
        self._table.flush()

    def close(self) -> None:
        """As in `Writer`."""
        self._table.close()


def open(workdir: Path, step: int, config: Config) -> Metrics:
    """Opens `metrics.csv`.

    Raises:
      ConfigError: an existing table is damaged.
    """
    del config
    return Metrics(workdir, step)


def _step(row: Mapping[str, str], file: Path) -> int:
    if not row["step"].isdecimal() or len(row["step"]) > 15:
        raise ConfigError(f"{file}: step = {row['step']!r} is not a step; move the file away")
    return int(row["step"])

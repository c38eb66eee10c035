"""Writes predictions row by row to a table, CSV or JSON."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vidjax.data.tables import cells
from vidjax.storage.writing import line_by_line

TOP = 5
SUFFIXES = (".csv", ".json")
# A row: its fields, and the most likely classes with their probabilities, best first.
Row = Callable[[Mapping[str, Any], Sequence[tuple[str, float]]], None]


@dataclass(frozen=True)
class Layout:
    """The fields of a row.

    Attributes:
      before: names of the fields before the classes.
      after: names of the fields after them.
    """

    before: Sequence[str]
    after: Sequence[str] = ()


OF_VIDEOS = Layout(("video", "start", "end", "label"), ("correct", "error"))
OF_WINDOWS = Layout(("start", "end"))


@contextlib.contextmanager
def writing_rows(
    file: Path, layout: Layout, about: Mapping[str, Any], classes: int
) -> Iterator[Row]:
    """Opens a table for writing; it gets its name only when the context ends without an error.

    Until then, and after an error, it is named `NAME.unfinished.csv` or `NAME.unfinished.json`, as
    described in `vidjax.storage.writing.line_by_line`, and holds the rows so far. The JSON is an
    object of `about`, `rows` and `finished`, which is false in an unfinished file.

    Args:
      file: the file to write; its suffix is one of `SUFFIXES`.
      layout: fields of the rows.
      about: further content of the JSON object.
      classes: number of classes K; a row names at most `TOP` of them.

    Yields:
      A function that writes a row.

    Raises:
      FileExistsError: the file exists already.
      OSError: the file cannot be written.
    """
    with line_by_line(file) as stream:
        sheet = (_Csv if file.suffix == ".csv" else _Json)(stream, layout, about, min(TOP, classes))
        finished = False
        try:
            yield sheet.row
            finished = True
        finally:
            sheet.end(finished)


class _Csv:
    def __init__(
        self, stream: IO[str], layout: Layout, about: Mapping[str, Any], count: int
    ) -> None:
        del about
        self._stream, self._layout, self._count = stream, layout, count
        self._writer = csv.writer(stream)
        self._begun = False

    def row(self, fields: Mapping[str, Any], top: Sequence[tuple[str, float]]) -> None:
        self._begin()
        best: list[Any] = [value for name, chance in top for value in (name, f"{chance:.6f}")]
        best += [""] * (2 * self._count - len(best))
        layout = self._layout
        before, after = (
            [fields[name] for name in names] for names in (layout.before, layout.after)
        )
        self._writer.writerow(cells(map(_cell, [*before, *best, *after])))
        self._stream.flush()

    def _begin(self) -> None:
        if not self._begun:
            names = [f"{name}{k}" for k in range(2, self._count + 1) for name in ("class", "probability")]  # fmt: skip  # noqa: E501
            layout, first = self._layout, ("predicted", "probability")
            self._writer.writerow([*layout.before, *first, *names, *layout.after])
        self._begun = True

    def end(self, finished: bool) -> None:
        if finished:
            self._begin()


class _Json:
    def __init__(
        self, stream: IO[str], layout: Layout, about: Mapping[str, Any], count: int
    ) -> None:
        self._stream, self._layout, self._about, self._count = stream, layout, about, count
        self._rows = 0

    def row(self, fields: Mapping[str, Any], top: Sequence[tuple[str, float]]) -> None:
        self._begin()
        names = (*self._layout.before, *self._layout.after)
        best = [{"class": name, "probability": round(chance, 6)} for name, chance in top]
        value = {name: fields[name] for name in names} | {"top": best}
        self._stream.write(f"{',' if self._rows else ''}\n    {json.dumps(value)}")
        self._stream.flush()
        self._rows += 1

    def _begin(self) -> None:
        if not self._rows:
            about = json.dumps(self._about, indent=2).removesuffix("\n}")
            self._stream.write(f'{about},\n  "rows": [')

    def end(self, finished: bool) -> None:
        if finished:
            self._begin()
        if finished or self._rows:
            self._stream.write(f'\n  ],\n  "finished": {json.dumps(finished)}\n}}\n')


def _cell(value: Any) -> Any:
    """Formats a cell: seconds to the millisecond, an empty cell for None, 1 and 0 for booleans."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else value

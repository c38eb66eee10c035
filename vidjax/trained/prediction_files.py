"""Predictions as a table, CSV or JSON, that is written row by row."""

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
# A row: its fields, and the likeliest classes with their probabilities, best first.
Row = Callable[[Mapping[str, Any], Sequence[tuple[str, float]]], None]


@dataclass(frozen=True)
class Layout:
    """What a row has.

    Attributes:
      before: names of the fields before the classes.
      after: names of those after them.
    """

    before: Sequence[str]
    after: Sequence[str] = ()


OF_VIDEOS = Layout(("video", "start", "end", "label"), ("correct", "error"))
OF_WINDOWS = Layout(("start", "end"))


@contextlib.contextmanager
def writing_rows(
    file: Path, layout: Layout, about: Mapping[str, Any], classes: int
) -> Iterator[Row]:
    """A table that gets its name when the context ends without an error.

    Before that, and after an error, it is `NAME.unfinished.csv` or `NAME.unfinished.json`, as
    `vidjax.storage.writing.line_by_line` says, and holds the rows until then. JSON is an object of
    `about`, `rows`, and `finished`, which is false there.

    Args:
      file: to be written; its suffix is one of `SUFFIXES`.
      layout: of the rows.
      about: what JSON says beside the rows.
      classes: K, of which a row names up to `TOP`.

    Yields:
      What writes a row.

    Raises:
      FileExistsError: something is there.
      OSError: it cannot be written.
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
    """What a table shows: seconds to the millisecond, nothing for None, 1 and 0 for yes and no."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else value

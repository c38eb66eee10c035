"""What the reports of explanations share: rows of a table, and names of runs."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidjax.data.tables import cells
from vidjax.storage.writing import new


def write_rows(file: Path, kind: type, rows: Sequence[Any]) -> None:
    """Writes a CSV with the fields of a dataclass as columns.

    Args:
      file: a new one.
      kind: the dataclass.
      rows: of that class.

    Raises:
      FileExistsError: the file is there.
    """
    columns = [field.name for field in dataclasses.fields(kind)]
    with new(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(cells(dataclasses.asdict(row).values()) for row in rows)


def what_differs(paths: Sequence[str]) -> list[str]:
    """Paths without the parts that all begin and end with; `runs/a/x`, `runs/b/x` as `a`, `b`."""
    parts = [path.split("/") for path in paths]
    if len(set(paths)) < 2:
        return list(paths)
    while min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ["/".join(part) for part in parts]

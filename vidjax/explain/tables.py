"""Tables and names of runs for reports of explanations."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidjax.data.tables import cells
from vidjax.storage.writing import new


def write_table(file: Path, kind: type, rows: Sequence[Any]) -> None:
    """Writes rows as a CSV whose columns are the fields of a dataclass.

    Args:
      file: a new file.
      kind: the dataclass.
      rows: its instances.

    Raises:
      FileExistsError: the file exists.
    """
    columns = [field.name for field in dataclasses.fields(kind)]
    with new(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(cells(dataclasses.asdict(row).values()) for row in rows)


def distinct_parts(paths: Sequence[str]) -> list[str]:
    """Removes the common first and last parts of paths; `runs/a/x`, `runs/b/x` become `a`, `b`."""
    parts = [path.split("/") for path in paths]
    if len(set(paths)) < 2:
        return list(paths)
    while min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return ["/".join(part) for part in parts]

"""Reads and writes `models.csv`, with one row per measurement."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing

from .measurement import Measurement


def write_csv(file: Path, rows: Sequence[Measurement]) -> None:
    """Writes all rows; replaces the file that the same run wrote before."""
    names = [field.name for field in dataclasses.fields(Measurement)]
    with writing(file) as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(map(dataclasses.asdict, rows))


def read_csv(file: Path) -> list[Measurement]:
    """Reads a file that `write_csv` wrote."""
    with file.open(newline="") as stream:
        return [_parsed(row) for row in csv.DictReader(stream)]


def _parsed(row: dict[str, str]) -> Measurement:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Measurement):
        kind = str(field.type).partition(" ")[0]
        text = row[field.name]
        values[field.name] = {"int": int, "float": float, "str": str}[kind](text) if text else None
    return Measurement(**values)


def joined(files: Iterable[Path]) -> list[Measurement]:
    """Concatenates the rows of several files."""
    return [row for file in files for row in read_csv(file)]

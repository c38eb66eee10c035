"""Writes a table as CSV; unknown values are empty."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing


def write(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes one or more rows with the same columns."""
    rows = list(rows)
    with writing(file) as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value

"""Reads published annotation files: CSV tables, text lines and JSON.

Errors name the file, the line or entry, and what was expected there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.data import tables
from vidjax.data.manifest import ManifestError
from vidjax.settings import shown

# Matching takes time quadratic in the length of a line. Published lines are short.
LONGEST_LINE = 4096


def locate(folder: Path, *patterns: str) -> Path:
    """Finds the first file or folder below `folder` that matches a pattern such as `*/train.csv`.

    Raises:
      ManifestError: nothing matches.
    """
    found = locate_if_there(folder, *patterns)
    if found is None:
        raise ManifestError(f"{folder} contains no {' or '.join(patterns)}")
    return found


def locate_if_there(folder: Path, *patterns: str) -> Path | None:
    """Does the same as `locate`, but returns None if nothing matches."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    return None


def table(
    file: Path, columns: Sequence[str], *, header: bool = True
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Reads the rows of a CSV, each with its location, such as `train.csv, line 3`.

    Args:
      file: the CSV.
      columns: required columns; without a header, the names of the first columns.
      header: whether the first row names the columns.

    Raises:
      ManifestError: a column is missing, or a row has too few or too many fields.
    """
    found = tables.rows(file, columns, header=header, guard_quotes=False, fault=ManifestError)
    for line, row in found:
        yield f"{file}, line {line}", {name: value.strip() for name, value in row.items()}


def columns_of(file: Path) -> list[str]:
    """Returns the column names in the first row of a CSV."""
    return tables.columns(file, ManifestError)


def lines(file: Path, form: str, example: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Matches each line of a text file against a regular expression. Empty lines are skipped.

    Args:
      file: the text.
      form: regular expression that must match the whole line.
      example: a correct line, shown in the error.

    Raises:
      ManifestError: a line does not match, or is too long.
    """
    pattern = re.compile(form)
    for number, line in enumerate(tables.text(file, ManifestError).split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            raise ManifestError(
                f"{file}, line {number} has {len(line):,} characters; the limit is {LONGEST_LINE:,}"
            )
        match = pattern.fullmatch(line.strip())
        if match is None:
            raise ManifestError(
                f"{file}, line {number}: {shown(line)} does not look like {example!r}"
            )
        yield f"{file}, line {number}", match


def objects(file: Path, keys: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Reads the objects of a JSON list, each with its location, such as `train.json, entry 3`.

    Raises:
      ManifestError: the file is not a list of objects, or an object lacks a key.
    """
    for number, item in enumerate(_json(file, list), start=1):
        where = f"{file}, entry {number}"
        missing = [key for key in keys if not isinstance(item, Mapping) or key not in item]
        if missing:
            raise ManifestError(f"{where} lacks {missing[0]!r}; expected {', '.join(keys)}")
        yield where, item


def mapping(file: Path) -> Mapping[str, Any]:
    """Reads a file with one JSON object.

    Raises:
      ManifestError: the file holds something else.
    """
    found: Mapping[str, Any] = _json(file, dict)
    return found


def json_list(file: Path) -> list[Any]:
    """Reads a file with one JSON list.

    Raises:
      ManifestError: the file holds something else.
    """
    found: list[Any] = _json(file, list)
    return found


def in_order(names: Iterable[tuple[int, str]], first: int, file: Path) -> list[str]:
    """Sorts class names by their numbers.

    Args:
      names: (number, name) pairs.
      first: the lowest number.
      file: the file they were read from, named in the error.

    Raises:
      ManifestError: the numbers are not consecutive from `first` on, or a name is repeated.
    """
    order = sorted(names)
    found = [index for index, _ in order]
    if not order or found != list(range(first, first + len(order))):
        raise ManifestError(
            f"{file}: classes must be numbered {first}, {first + 1}, ... without gaps or repeats"
        )
    if len({name for _, name in order}) < len(order):
        raise ManifestError(f"{file} lists a class twice")
    return [name for _, name in order]


def number(text: Any, name: str, where: str) -> float:
    """Parses a finite number from an annotation field.

    Raises:
      ManifestError: the field is not a number.
    """
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ManifestError(f"{where}: {name} {text!r} is not a number")
    return value


def seconds(text: str, name: str, where: str) -> float:
    """Parses a time such as `75`, `1:15` or `00:01:15.25` into seconds.

    >>> seconds("00:01:15.25", "start", "train.csv, line 2")
    75.25

    Raises:
      ManifestError: the text is not such a time.
    """
    parts = text.split(":")
    if not text or len(parts) > 3:
        raise ManifestError(f"{where}: {name} {text!r} is not a time such as 00:01:15.25")
    total = 0.0
    for part in parts:
        total = 60 * total + number(part, name, where)
    return total


def _json(file: Path, kind: type) -> Any:
    content = records.content(file, records.MOST_OF_TABLE, ManifestError)
    try:
        return records.parsed(content, kind)
    except records.RecordError as error:
        raise ManifestError(f"{file} differs from its published format: {error}") from None

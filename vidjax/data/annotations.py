"""Reading published annotation files: tables, lines and JSON.

What is wrong with one is said once, with its name, the place in it and what was expected.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.data import tables
from vidjax.data.manifest import ManifestError
from vidjax.settings import shown

# Characters. Lines of annotations are names and numbers.
_LONGEST_LINE = 10_000


def locate(folder: Path, *patterns: str) -> Path:
    """The first file or folder below `folder` that a pattern such as `*/train.csv` matches.

    Raises:
      ManifestError: there is none.
    """
    found = locate_if_there(folder, *patterns)
    if found is None:
        raise ManifestError(f"{folder} holds no {' or '.join(patterns)}")
    return found


def locate_if_there(folder: Path, *patterns: str) -> Path | None:
    """As `locate`, but None where there is none."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    return None


def table(
    file: Path, columns: Sequence[str], *, header: bool = True
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Rows of a CSV, each with its place in words.

    Args:
      file: the CSV.
      columns: those that must be there; without a header, the names of the first ones.
      header: whether the first row names the columns.

    Raises:
      ManifestError: a column is missing, or a row has too few or too many fields.
    """
    found = tables.rows(file, columns, header=header, guard_quotes=False, fault=ManifestError)
    for line, row in found:
        yield f"{file}, line {line}", {name: value.strip() for name, value in row.items()}


def columns_of(file: Path) -> list[str]:
    """The names in the first row of a CSV."""
    return tables.columns(file, ManifestError)


def lines(file: Path, form: str, example: str) -> Iterator[tuple[str, re.Match[str]]]:
    """The lines of a text file as matches of a regular expression; empty lines are left out.

    Args:
      file: the text.
      form: regular expression that a whole line must match.
      example: a line as it should be, for the error.

    Raises:
      ManifestError: a line has another form.
    """
    pattern = re.compile(form)
    for number, line in enumerate(tables.text(file, ManifestError).split("\n"), start=1):
        if not line.strip():
            continue
        match = pattern.fullmatch(line.strip()) if len(line) <= _LONGEST_LINE else None
        if match is None:
            raise ManifestError(
                f"{file}, line {number}: {shown(line)} is not of the form {example!r}"
            )
        yield f"{file}, line {number}", match


def objects(file: Path, keys: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a JSON list, each with its place in words.

    Raises:
      ManifestError: it is no list of objects, or one lacks a key.
    """
    for number, item in enumerate(_json(file, list), start=1):
        where = f"{file}, entry {number}"
        missing = [key for key in keys if not isinstance(item, Mapping) or key not in item]
        if missing:
            raise ManifestError(f"{where} lacks {missing[0]!r}; expected {', '.join(keys)}")
        yield where, item


def mapping(file: Path) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
      ManifestError: it is none.
    """
    found: Mapping[str, Any] = _json(file, dict)
    return found


def json_list(file: Path) -> list[Any]:
    """A JSON list.

    Raises:
      ManifestError: it is none.
    """
    found: list[Any] = _json(file, list)
    return found


def in_order(names: Iterable[tuple[int, str]], first: int, file: Path) -> list[str]:
    """Names in the order of their numbers.

    Args:
      names: pairs of number and name.
      first: the lowest number.
      file: where they are from, for the error.

    Raises:
      ManifestError: the numbers are not each from `first` on once, or two names are the same.
    """
    order = sorted(names)
    found = [index for index, _ in order]
    if not order or found != list(range(first, first + len(order))):
        raise ManifestError(f"{file}: classes are not numbered from {first} on, each once")
    if len({name for _, name in order}) < len(order):
        raise ManifestError(f"{file} lists a class twice")
    return [name for _, name in order]


def number(text: Any, name: str, where: str) -> float:
    """A number from a field of an annotation.

    Raises:
      ManifestError: it is none.
    """
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ManifestError(f"{where}: {name} {text!r} is not a number")
    return value


def seconds(text: str, name: str, where: str) -> float:
    """Seconds from `75`, `1:15` or `00:01:15.25`.

    Raises:
      ManifestError: the text is none of them.
    """
    parts = text.split(":")
    if not text or len(parts) > 3:
        raise ManifestError(f"{where}: {name} {text!r} is not a time such as 00:01:15.25")
    total = 0.0
    for part in parts:
        total = 60 * total + number(part, name, where)
    return total


def _json(file: Path, kind: type) -> Any:
    try:
        found = json.loads(tables.text(file, ManifestError))
    except json.JSONDecodeError as error:
        raise ManifestError(f"{file} is not JSON: {error}") from None
    if not isinstance(found, kind):
        raise ManifestError(f"{file} holds no JSON {'list' if kind is list else 'object'}")
    return found

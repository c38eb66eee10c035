"""Reads class names in the order of a network's logits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.labels import normal
from vidjax.untrusted_names import flaw, printable


class _Row(msgspec.Struct):
    network_class: records.Name = msgspec.field(name="class")


def read_class_list(file: Path) -> tuple[str, ...]:
    """Reads a text file with one class name per line, or a CSV (`.csv`) with a column `class`.

    Raises:
      ValueError: the file is damaged or empty, or a name is empty, unprintable or repeated. The
        message names the file and line.
    """
    found: dict[str, int] = {}
    for line, name in _lines(file):
        if not name:
            raise ValueError(f"{file}, line {line} is empty; a class name is expected")
        if wrong := flaw(name):
            raise ValueError(f"{file}, line {line}: the name {wrong}")
        if name in found:
            raise ValueError(
                f"{file}, line {line}: class {printable(name)!r} is in line {found[name]} already"
            )
        found[name] = line
    if not found:
        raise ValueError(f"{file} contains no class; write one name per line")
    return tuple(found)


def _lines(file: Path) -> Iterable[tuple[int, str]]:
    if file.suffix.lower() == ".csv":
        return [(line, normal(row.network_class)) for line, row in tables.read(file, _Row)]
    text = tables.text(file).rstrip()
    return enumerate((normal(line) for line in text.splitlines()), 1) if text else ()

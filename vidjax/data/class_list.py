"""Names of classes in the order of a network's logits, as a file lists them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.labels import normal
from vidjax.untrusted_names import flaw, told


class _Row(msgspec.Struct):
    network_class: records.Name = msgspec.field(name="class")


def read_class_list(file: Path) -> tuple[str, ...]:
    """Reads a text file with one name a line, or a CSV (`.csv`) with a column `class`.

    Raises:
      ValueError: the file is damaged or empty, or a name is absent, unprintable or there twice;
        names file and line.
    """
    found: dict[str, int] = {}
    for line, name in _lines(file):
        if not name:
            raise ValueError(f"{file}, line {line}: it is empty, and a class is expected")
        if wrong := flaw(name):
            raise ValueError(f"{file}, line {line}: the name {wrong}")
        if name in found:
            raise ValueError(
                f"{file}, line {line}: class {told(name)!r} stands in line {found[name]} too"
            )
        found[name] = line
    if not found:
        raise ValueError(f"{file} names no class; give it one name a line")
    return tuple(found)


def _lines(file: Path) -> Iterable[tuple[int, str]]:
    if file.suffix.lower() == ".csv":
        return [(line, normal(row.network_class)) for line, row in tables.read(file, _Row)]
    text = tables.text(file).rstrip()
    return enumerate((normal(line) for line in text.splitlines()), 1) if text else ()

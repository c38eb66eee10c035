"""Reads the loss weights of classes from a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.labels import normal
from vidjax.data.manifest import few
from vidjax.untrusted_names import did_you_mean, printable

_Weight = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class _Row(msgspec.Struct):
    weight: _Weight
    name: records.Name = msgspec.field(name="class")


def read_class_weights(
    file: Path, classes: Sequence[str], *, ours: bool = False
) -> tuple[float, ...]:
    """Reads a CSV with the columns `class` and `weight`.

    Rows may be in any order. Classes are matched by name, and the weights are returned in the order
    of `classes`.

    Args:
      file: the CSV.
      classes: class names.
      ours: whether vidjax wrote the file, as in `vidjax.data.tables`.

    Raises:
      ValueError: the table is damaged, or a class is repeated, unknown or missing. The message
        names the file and line.
      OSError: the file cannot be read.
    """
    places = {normal(name): place for place, name in enumerate(classes)}
    found: dict[str, float] = {}
    for line, row in tables.read(file, _Row, ours=ours):
        name = normal(row.name)
        if name not in places:
            hint = did_you_mean([name], places)
            raise ValueError(
                f"{file}, line {line}: there is no class {printable(name)!r}{hint}; the data set "
                f"has {few(sorted(places))}"
            )
        if name in found:
            raise ValueError(f"{file}, line {line}: class {printable(name)!r} is repeated")
        found[name] = row.weight
    if missing := sorted(places.keys() - found.keys()):
        raise ValueError(f"{file} has no weight for {few(missing)}; add a row for each class")
    return tuple(found[normal(name)] for name in classes)

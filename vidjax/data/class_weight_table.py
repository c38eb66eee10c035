"""Weights of classes in a loss, as a CSV gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.labels import normal
from vidjax.data.manifest import few
from vidjax.untrusted_names import nearest, told

_Weight = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class _Row(msgspec.Struct):
    weight: _Weight
    name: records.Name = msgspec.field(name="class")


def read_class_weights(
    file: Path, classes: Sequence[str], *, ours: bool = False
) -> tuple[float, ...]:
    """Reads a CSV with the columns `class` and `weight`: the weight of each class, index by index.

    Rows may be in any order; classes are matched by name.

    Args:
      file: the CSV.
      classes: names of the classes.
      ours: whether vidjax wrote it, as in `vidjax.data.tables`.

    Raises:
      ValueError: the table is damaged, names a class twice, one that there is not, or not all of
        them; names file and line.
      OSError: it cannot be read.
    """
    places = {normal(name): place for place, name in enumerate(classes)}
    found: dict[str, float] = {}
    for line, row in tables.read(file, _Row, ours=ours):
        name = normal(row.name)
        if name not in places:
            hint, _, _ = nearest(name, places).partition("Known: ")
            raise ValueError(
                f"{file}, line {line}: there is no class {told(name)!r}; {hint}The data set has "
                f"{few(sorted(places))}"
            )
        if name in found:
            raise ValueError(f"{file}, line {line}: class {told(name)!r} is there twice")
        found[name] = row.weight
    if missing := sorted(places.keys() - found.keys()):
        raise ValueError(f"{file} has no weight for {few(missing)}; give each class a row")
    return tuple(found[normal(name)] for name in classes)

"""Reads a CSV that maps a data set's labels to a network's classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.labels import normal


class _Row(msgspec.Struct):
    label: records.Name
    network_class: records.Name = msgspec.field(name="class")


def read_class_mapping(file: Path) -> Mapping[str, str]:
    """Reads a CSV with the columns `label` (of the data set) and `class` (of the network).

    Several labels may map to one class.

    Raises:
      ValueError: the table is damaged, or a label is repeated. The message names file and line.
    """
    found: dict[str, str] = {}
    for line, row in tables.read(file, _Row):
        label = normal(row.label)
        if label in found:
            raise ValueError(f"{file}, line {line}: label {label!r} is repeated")
        found[label] = row.network_class
    if not found:
        raise ValueError(f"{file} maps no label; add rows of label,class")
    return found

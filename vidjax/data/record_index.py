"""The index of a prepared data set: the video and class of each record.

A record holds its own name and class. If the record is damaged, this table beside the data still
gives them. It is written after all records have been written and read back.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from vidjax.data import tables
from vidjax.data.multi_label_text import split_labels
from vidjax.data.targets import Label
from vidjax.records import Name
from vidjax.storage.writing import writing

_FILE = "videos.csv"


class _Row(msgspec.Struct):
    split: Name
    label: Name
    video: Name


def write_record_index(folder: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Writes the split, class and name of each video, in the order of the records.

    Raises:
      OSError: the folder cannot be written.
    """
    with writing(folder / _FILE) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("split", "label", "video"))
        writer.writerows(rows)


def read_record_index(
    folder: Path, split: str, classes: Sequence[str], *, multi_label: bool = False
) -> list[tuple[str, Label]]:
    """Reads name and class of each video of a split; empty if the table is missing or damaged."""
    index = {name: number for number, name in enumerate(classes)}

    def label_of(text: str) -> Label:
        return tuple(index[name] for name in split_labels(text)) if multi_label else index[text]

    try:
        rows = tables.read(folder / _FILE, _Row, exact=True)
        return [(row.video, label_of(row.label)) for _, row in rows if row.split == split]
    except (OSError, ValueError, LookupError):
        return []

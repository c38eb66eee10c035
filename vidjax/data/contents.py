"""Which record of a prepared data set is which video.

A record holds its own name and class. Where it is damaged, this table beside the data still tells
them. It is written from the records as they are read back, once they are all written.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from vidjax.writing import reading, writing

_FILE = "videos.csv"


def write_contents(folder: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Writes split, class and name of each video, in the order of the records of each split.

    Raises:
      OSError: the folder cannot be written.
    """
    with writing(folder / _FILE) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("split", "label", "video"))
        writer.writerows(rows)


def read_contents(folder: Path, split: str, classes: Sequence[str]) -> list[tuple[str, int]]:
    """Name and class index of each video of a split; empty where the table is absent or damaged."""
    index = {name: number for number, name in enumerate(classes)}
    try:
        with reading(folder / _FILE) as stream:
            rows = [row for row in csv.reader(stream) if row[0] == split]
        return [(video, index[label]) for _, label, video in rows]
    except (OSError, ValueError, LookupError, csv.Error):
        return []

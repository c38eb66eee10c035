"""The report of a preparation: found, missing, excluded and broken videos per class."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.data.exclusions import MISSING
from vidjax.data.manifest import Manifest
from vidjax.storage.writing import writing

Row = dict[str, str]
REPORT, EXCLUDED = "report.csv", "excluded.csv"
_REWRITE = "preparing the data set writes it again"


class ReportError(ValueError):
    """The report of a prepared data set cannot be read."""


@dataclass(frozen=True)
class Count:
    """Numbers of videos of one class, or of all classes, in a split.

    Attributes:
      split: name of the split.
      label: class name; empty for all classes.
      listed: videos in the annotations.
      missing: listed videos whose files do not exist.
      excluded: listed videos excluded for another reason, such as being listed twice.
      broken: listed videos that could not be decoded.
    """

    split: str
    label: str
    listed: int
    missing: int
    excluded: int
    broken: int

    @property
    def prepared(self) -> int:
        """Videos in the prepared data set."""
        return self.listed - self.missing - self.excluded - self.broken


class _Row(msgspec.Struct):
    """A row of `report.csv`."""

    split: records.Name
    label: records.Name
    listed: records.Count
    missing: records.Count
    excluded: records.Count
    broken: records.Count
    prepared: records.Count


COLUMNS = ("split", "label", "listed", "missing", "excluded", "broken", "prepared")


def count(manifest: Manifest, broken: Sequence[Mapping[str, str]]) -> list[Count]:
    """Counts videos per split and class, in the order of splits and class indices.

    Args:
      manifest: the videos to prepare, and those excluded beforehand.
      broken: rows with `video`, `label`, `split` and `error` of all videos that the data set lacks,
        exclusions first.
    """
    excluded = manifest.excluded
    entries = [*manifest.entries, *(exclusion.entry for exclusion in excluded)]
    listed = Counter((entry.split, entry.label) for entry in entries)
    missing = Counter(
        (exclusion.entry.split, exclusion.entry.label)
        for exclusion in excluded
        if exclusion.reason == MISSING
    )
    out = Counter((exclusion.entry.split, exclusion.entry.label) for exclusion in excluded)
    lost = Counter((row["split"], row["label"]) for row in broken[len(excluded) :])
    place = {label: index for index, label in enumerate(manifest.classes)}
    keys = sorted(listed, key=lambda key: (key[0] != "train", key[0], place.get(key[1], -1)))
    return [
        Count(*key, listed[key], missing[key], out[key] - missing[key], lost[key]) for key in keys
    ]


def total(counts: Iterable[Count]) -> list[Count]:
    """Sums the counts over classes; returns one count per split."""
    sums: dict[str, Counter[str]] = {}
    for each in counts:
        sums.setdefault(each.split, Counter()).update(
            {name: getattr(each, name) for name in COLUMNS[2:6]}
        )
    return [
        Count(split, "", *(amount[name] for name in COLUMNS[2:6])) for split, amount in sums.items()
    ]


def write_report(folder: Path, manifest: Manifest, broken: Sequence[Mapping[str, str]]) -> None:
    """Writes `report.csv` and `excluded.csv` into the data set's folder."""
    with writing(folder / EXCLUDED) as stream:
        rows = csv.DictWriter(stream, ("video", "label", "split", "error"), lineterminator="\n")
        rows.writeheader()
        rows.writerows(broken)
    with writing(folder / REPORT) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in count(manifest, broken):
            writer.writerow([getattr(each, name) for name in COLUMNS])


def read_report(folder: Path) -> list[Count]:
    """Reads the counts of a prepared data set, per split and class.

    Raises:
      ReportError: the table is missing or damaged.
    """
    file = folder / REPORT
    try:
        rows = [row for _, row in tables.read(file, _Row, exact=True)]
    except FileNotFoundError:
        raise ReportError(f"{file} is missing; {_REWRITE}") from None
    except ValueError as error:
        raise ReportError(f"{error}; remove it, and {_REWRITE}") from None
    counts = [
        Count(row.split, row.label, row.listed, row.missing, row.excluded, row.broken)
        for row in rows
    ]
    if [each.prepared for each in counts] != [row.prepared for row in rows]:
        raise ReportError(f"{file} is damaged; remove it, and {_REWRITE}")
    return counts

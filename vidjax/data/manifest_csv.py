"""Reads a CSV manifest: `path,label,split[,start,end,group]`, one line per video."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from vidjax.data import multi_label_text, tables
from vidjax.data.manifest_entry import Entry, ManifestError, Seconds
from vidjax.data.splits import SPLITS, split_name
from vidjax.records import Name
from vidjax.storage.paths import is_url
from vidjax.untrusted_names import few


class _Row(msgspec.Struct):
    """A row of a CSV. Cells with a default may be empty."""

    path: Name
    label: Name
    split: Name
    start: Seconds | None = None
    end: Seconds | None = None
    group: str = ""


class _SeveralRow(msgspec.Struct):
    """A row of a multi-label CSV."""

    path: Name
    labels: Name
    split: Name
    start: Seconds | None = None
    end: Seconds | None = None
    group: str = ""

    @property
    def label(self) -> str:
        """All labels, as written."""
        return self.labels


def read_rows(path: Path, multi_label: bool) -> Iterator[Entry]:
    """Reads the rows of a CSV. Labels stay as written; paths lose a leading `./`.

    Args:
      path: the CSV.
      multi_label: whether a video may have several labels, in the column `labels`.

    Raises:
      ManifestError: a row is wrong; the message names the file, the line and the fix.
    """
    _require_columns(path, multi_label)
    rows: dict[tuple[object, ...], int] = {}
    kind: type[_Row] | type[_SeveralRow] = _SeveralRow if multi_label else _Row
    for number, row in tables.read(path, kind, fault=ManifestError):
        if multi_label and (why := multi_label_text.flaw(row.label)):
            raise ManifestError(f"{path}, line {number}: labels = {few([row.label])} {why}")
        entry = _entry(row, path, number)
        first = rows.setdefault((_normal(entry.path), entry.start, entry.end), number)
        if first != number:
            raise ManifestError(
                f"{path} lists {few([entry.path])} twice, in rows {first} and {number}; "
                + ("write all its labels in one of them" if multi_label else "remove one")
            )
        yield entry


def _normal(path: str) -> str:
    return path if is_url(path) else os.path.normpath(path)


def _require_columns(path: Path, multi_label: bool) -> None:
    """Refuses a table whose columns do not match the setting `data.multi_label`.

    Raises:
      ManifestError: says which column or setting to change.
    """
    found = tables.columns(path, ManifestError)
    one, several = "label" in found, "labels" in found
    if multi_label and one:
        raise ManifestError(
            f"{path} has the column 'label'{' beside ' if several else ', but not '}'labels'. With "
            "data.multi_label = True, write all labels of a video into 'labels', separated by "
            f"{multi_label_text.BETWEEN!r}, and remove 'label'"
        )
    if several and not one and not multi_label:
        raise ManifestError(
            f"{path} has the column 'labels', but not 'label'; set data.multi_label=True if a "
            "video may have several labels, or rename the column"
        )


def _entry(row: _Row | _SeveralRow, path: Path, line: int) -> Entry:
    split = split_name(row.split)
    if split not in SPLITS:
        raise ManifestError(
            f"{path}, line {line}: split {few([row.split])} is not one of {', '.join(SPLITS)}"
        )
    if row.end is not None and row.end <= (row.start or 0.0):
        raise ManifestError(
            f"{path}, line {line}: end {row.end:g} is not after start {row.start or 0:g}"
        )
    # Without `./` and double slashes, so that each file has only one name.
    name = row.path if is_url(row.path) else PurePosixPath(row.path).as_posix()
    return Entry(name, row.label, split, row.start, row.end, row.group)

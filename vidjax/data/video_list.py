"""Lists videos that need no labels: one file, all files below a folder, or the rows of a CSV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import msgspec

from vidjax.data import labels, multi_label_text, tables
from vidjax.data.manifest import Entry, Manifest, ManifestError, Seconds, few
from vidjax.data.video_files import VIDEO_SUFFIXES, find_videos
from vidjax.records import Name
from vidjax.storage.paths import as_path, is_url
from vidjax.untrusted_names import printable


class _Row(msgspec.Struct):
    """A row of a CSV. Every cell but the path may be empty or absent."""

    path: Name
    label: str = ""
    labels: str = ""
    split: str = ""
    start: Seconds | None = None
    end: Seconds | None = None
    group: str = ""


def list_videos(path: str | Path, *, root: str | Path | None = None) -> Manifest:
    """Lists videos with or without labels.

    Labels and splits are empty if a CSV does not give them. A split may have any name. Whether a
    listed file exists is checked only when it is opened.

    Args:
      path: a video, a folder, or a CSV `path[,label,split,start,end,group]`. With a column `labels`
        in place of `label`, a video may have several labels.
      root: folder that the CSV's paths are relative to. None means the folder of the CSV.

    Raises:
      ManifestError: there are no videos, or the CSV is damaged.
    """
    path = as_path(path)
    several = False
    if path.is_dir():
        found = find_videos(path)
        base, entries = path, [Entry(name, "", "") for name in sorted(found.videos)]
    elif path.suffix.lower() == ".csv":
        several = _has_several(path)
        base, entries = as_path(root) if root else path.parent, _listed(path)
    else:
        base, entries = path.parent, [Entry(path.name, "", "")]
        if not path.is_file():
            raise ManifestError(
                f"{printable(str(path))} does not exist; name a video, folder or CSV"
            )
    if not entries:
        raise ManifestError(
            f"{printable(str(path))} contains no videos ({', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    listed = Manifest(base.absolute(), tuple(entries), (), multi_label=several)
    classes = sorted({label for entry in entries for label in listed.labels_of(entry)})
    return replace(listed, classes=tuple(classes))


def _has_several(file: Path) -> bool:
    found = {"label", "labels"} & set(tables.columns(file, ManifestError))
    if len(found) > 1:
        raise ManifestError(f"{file} has both columns 'label' and 'labels'; remove one")
    return "labels" in found


def _listed(file: Path) -> list[Entry]:
    entries = []
    for line, row in tables.read(file, _Row, fault=ManifestError):
        if row.end is not None and row.end <= (row.start or 0.0):
            raise ManifestError(
                f"{file}, line {line}: end {row.end:g} is not after start {row.start or 0:g}"
            )
        if row.labels and (why := multi_label_text.flaw(row.labels)):
            raise ManifestError(f"{file}, line {line}: labels = {few([row.labels])} {why}")
        name = row.path if is_url(row.path) else PurePosixPath(row.path).as_posix()
        label = labels.normal(row.label)
        if row.labels:
            label = multi_label_text.join_labels(
                map(labels.normal, multi_label_text.labels_as_written(row.labels))
            )
        entries.append(Entry(name, label, row.split, row.start, row.end, row.group))
    return entries

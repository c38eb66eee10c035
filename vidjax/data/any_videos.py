"""Videos that need no labels: one file, all below a folder, or those that a CSV lists."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

from vidjax.data import labels, tables
from vidjax.data.manifest import Entry, Manifest, ManifestError, Seconds
from vidjax.data.tree import VIDEO_SUFFIXES, look
from vidjax.names import told
from vidjax.records import Name


class _Row(msgspec.Struct):
    """A row of a CSV; all but the path may be empty or absent."""

    path: Name
    label: str = ""
    split: str = ""
    start: Seconds | None = None
    end: Seconds | None = None
    group: str = ""


def any_videos(path: str | Path, *, root: str | Path | None = None) -> Manifest:
    """Videos as they are, whatever is known of them.

    Labels and splits are empty where a CSV does not name them. A split may have any name. Files
    that are absent are found out when they are opened.

    Args:
      path: a video, a folder, or a CSV `path[,label,split,start,end,group]`.
      root: folder that the CSV's paths are relative to; its own folder when None.

    Raises:
      ManifestError: there are no videos, or the CSV is damaged.
    """
    path = Path(path)
    if path.is_dir():
        found = look(path)
        base, entries = path, [Entry(name, "", "") for name in sorted(found.videos)]
    elif path.suffix.lower() == ".csv":
        base, entries = Path(root) if root else path.parent, _listed(path)
    else:
        base, entries = path.parent, [Entry(path.name, "", "")]
        if not path.is_file():
            raise ManifestError(f"{told(str(path))} does not exist; name a video, folder or CSV")
    if not entries:
        raise ManifestError(
            f"{told(str(path))} holds no videos (of {', '.join(sorted(VIDEO_SUFFIXES))})"
        )
    classes = sorted({entry.label for entry in entries if entry.label})
    return Manifest(base.absolute(), tuple(entries), tuple(classes))


def _listed(file: Path) -> list[Entry]:
    entries = []
    for line, row in tables.read(file, _Row, fault=ManifestError):
        if row.end is not None and row.end <= (row.start or 0.0):
            raise ManifestError(
                f"{file}, line {line}: end {row.end:g} is not after start {row.start or 0:g}"
            )
        name, label = PurePosixPath(row.path).as_posix(), labels.normal(row.label)
        entries.append(Entry(name, label, row.split, row.start, row.end, row.group))
    return entries

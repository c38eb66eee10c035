"""Identifies the source files of a data set without reading all of them.

Names alone are not enough: folders such as `rgb/` and `flow/` contain files of the same names, and
a file can be replaced in place. A data set is therefore identified by the names, sizes and
modification times of its files, and by the bytes of a few of them. The folder is recorded but does
not matter, so moved files are the same data.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.data import tables
from vidjax.data.manifest import Manifest, few
from vidjax.storage.file_info import file_infos
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.writing import writing

_FACTS, _TABLE = "source.json", "files.csv"
# Number of sampled files, and bytes read at the beginning, middle and end of each.
_LOOKS, _PIECE = 16, 2**16
# Copying to another disk may round times by up to two seconds.
_ROUNDING = 2 * 10**9
Stamp = tuple[int, int]
# Files may be dated before 1970.
Nanoseconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Facts(msgspec.Struct):
    root: str
    sample: str
    digest: str


class _File(msgspec.Struct):
    path: records.Name
    bytes: records.Count
    time_ns: Nanoseconds


@dataclass(frozen=True)
class SourceFiles:
    """The source files of a data set.

    Attributes:
      root: folder of the files.
      files: (size in bytes, modification time in nanoseconds) by path in the data set.
      sample: hash of the bytes of a few files.
    """

    root: str
    files: Mapping[str, Stamp]
    sample: str

    @classmethod
    def of(cls, manifest: Manifest) -> SourceFiles:
        """Collects the source files of a manifest.

        Raises:
          OSError: a file is missing or not readable.
        """
        paths = sorted(
            {entry.place.file if entry.place else entry.path for entry in manifest.entries}
        )
        files: dict[str, Stamp] = {}
        for path, facts in file_infos(manifest.root, paths).items():
            if facts is None:
                raise FileNotFoundError(
                    errno.ENOENT, os.strerror(errno.ENOENT), _file(manifest, path)
                )
            files[path] = (facts.size, facts.time_ns)
        return cls(str(manifest.root), files, _sample(manifest, paths))

    @property
    def digest(self) -> str:
        """SHA-256 of the names, sizes, times and the sample."""
        sum_ = hashlib.sha256(self.sample.encode())
        for path, stamp in sorted(self.files.items()):
            sum_.update(f"{path}\0{stamp[0]}\0{stamp[1]}\n".encode(errors="surrogateescape"))
        return sum_.hexdigest()

    def is_same(self, earlier: SourceFiles) -> bool:
        """Returns whether these are the same files, wherever they are; copies may round times."""
        return self.sample == earlier.sample and not self.changed_since(earlier)

    def changed_since(self, earlier: SourceFiles) -> list[str]:
        """Returns the paths of the files whose size or time differs from an earlier record.

        If the files are in another folder, they may be copies, and rounded times are accepted.
        """
        slack = 0 if self.root == earlier.root else _ROUNDING
        return [
            path
            for path, (size, time) in self.files.items()
            if size != earlier.files[path][0] or abs(time - earlier.files[path][1]) > slack
        ]

    def newest(self) -> int:
        """Returns the latest modification time in nanoseconds."""
        return max((time for _, time in self.files.values()), default=0)

    def write(self, folder: Path, notes: Sequence[str] = ()) -> None:
        """Records the files in a prepared data set, with notes about skipped files.

        Raises:
          OSError: the folder cannot be written.
        """
        with writing(folder / _TABLE) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("path", "bytes", "time_ns"))
            writer.writerows((path, *stamp) for path, stamp in self.files.items())
        facts: dict[str, Any] = {"root": self.root, "sample": self.sample, "digest": self.digest}
        facts["notes"] = list(notes)
        with writing(folder / _FACTS) as stream:
            stream.write(json.dumps(facts, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> SourceFiles | None:
        """Reads the record of a prepared data set's source files; None if it is not intact."""
        try:
            facts = records.read(folder / _FACTS, _Facts, "")
            rows = tables.read(folder / _TABLE, _File, exact=True)
            files = {row.path: (row.bytes, row.time_ns) for _, row in rows}
            found = cls(facts.root, files, facts.sample)
            return found if found.digest == facts.digest else None
        except (OSError, ValueError):
            return None


def recorded_root(folder: Path) -> str | None:
    """Returns the folder of a prepared data set's source files; None if it is not recorded."""
    try:
        return records.read(folder / _FACTS, _Facts, "").root
    except (OSError, ValueError):
        return None


def describe_change(now: SourceFiles, earlier: SourceFiles, folder: Path) -> str:
    """Describes how the files differ from those that the data set in `folder` was made from."""
    changed = now.changed_since(earlier)
    where = "" if now.root == earlier.root else f" (from {earlier.root}; these are in {now.root})"
    if changed:
        what = f"{len(changed)} of {len(now.files)} files differ in size or time: {few(changed)}"
    else:
        what = "its files have the same names, sizes and times, but other contents"
    return (
        f"{folder} was prepared from other files{where}: {what}. It is kept; the current files are "
        "prepared beside it"
    )


def _sample(manifest: Manifest, paths: list[str]) -> str:
    sum_ = hashlib.sha256()
    for path in _evenly(paths):
        file = as_path(_file(manifest, path))
        size = file.stat().st_size
        with file.open("rb") as stream:
            for start in sorted({0, size // 2, max(0, size - _PIECE)}):
                stream.seek(start)
                sum_.update(stream.read(_PIECE))
    return sum_.hexdigest()[:16]


def _file(manifest: Manifest, path: str) -> str:
    return path if is_url(path) else str(manifest.root / path)


def _evenly(paths: list[str]) -> Iterable[str]:
    count = min(_LOOKS, len(paths))
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).round().astype(int)]

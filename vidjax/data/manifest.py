"""A data set as a list of videos: a folder of classes, or a CSV with labels and splits."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from vidjax import names
from vidjax.data import labels, tables
from vidjax.data.folder import LAYOUT, read_folder
from vidjax.data.splits import SPLITS, split_name
from vidjax.records import Name

# A year is longer than any video.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3.2e7)]
_TEST_SHARE = 0.2


class ManifestError(ValueError):
    """A manifest or folder cannot be used as a data set."""


@dataclass(frozen=True)
class Entry:
    """One video, or one piece of a video.

    Attributes:
      path: file, relative to the manifest's root, or absolute.
      label: class name.
      split: `train`, `val` or `test`.
      start: where the piece begins in seconds; None is the beginning.
      end: where it ends in seconds; None is the end.
      group: person or source video; one group must not be in training and test.
    """

    path: str
    label: str
    split: str
    start: float | None = None
    end: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Exclusion:
    """A video that is listed and not used, and why."""

    entry: Entry
    reason: str


@dataclass(frozen=True)
class Manifest:
    """Videos with labels and splits.

    Attributes:
      root: folder that relative paths start from.
      entries: the videos.
      classes: class names in the order of their indices: as published, or, of your own videos,
        those of the training split, sorted.
      excluded: what was listed beside them.
      notes: what a user should know of them, a sentence each.

    Raises:
      ManifestError: a class has a name that cannot be stored.
    """

    root: Path
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.classes:
            # Prepared data sets keep their classes as lines of a text.
            if why := names.flaw(name):
                raise ManifestError(f"the label {few([name])} {why}; rename it")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have videos."""
        present = {entry.split for entry in self.entries}
        return tuple(split for split in SPLITS if split in present)

    def split(self, name: str) -> tuple[Entry, ...]:
        """The videos of a split."""
        return tuple(entry for entry in self.entries if entry.split == name)

    def file(self, entry: Entry) -> Path:
        """Where an entry's video is."""
        return self.root / entry.path

    def without(self, flaw: Callable[[Entry], str]) -> Manifest:
        """Leaves out, by name, the videos that `flaw` has a word for."""
        flaws = [flaw(entry) for entry in self.entries]
        kept = tuple(entry for entry, why in zip(self.entries, flaws, strict=True) if not why)
        out = [Exclusion(*pair) for pair in zip(self.entries, flaws, strict=True) if pair[1]]
        return replace(self, entries=kept, excluded=(*self.excluded, *out))

    @property
    def leaked_groups(self) -> list[str]:
        """Groups (people, source videos) that are in training and in evaluation, sorted."""
        groups = {
            split: {entry.group for entry in self.entries if entry.group and entry.split == split}
            for split in SPLITS
        }
        return sorted(groups["train"] & (groups["val"] | groups["test"]))

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, whatever their order and root."""
        rows = sorted(repr(entry) for entry in self.entries)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def read_manifest(
    path: str | Path, *, root: str | Path | None = None, allow_group_leak: bool = False
) -> Manifest:
    """Reads a folder of videos or a CSV `path,label,split[,start,end,group]`.

    A folder `class/video.*` without splits is split by a hash of the file names, about a fifth
    to `test`, the same on every machine.

    Args:
      path: folder or CSV file.
      root: folder that the CSV's paths are relative to; its own folder when None.
      allow_group_leak: accept a group that is in training and in test.

    Raises:
      ManifestError: something is missing or contradicts itself; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise ManifestError(f"{path} does not exist; name a folder of videos or a CSV file")
    passed_over: tuple[str, ...] = ()
    if path.is_dir():
        listed = read_folder(path, ManifestError)
        base, written, passed_over = path, _divided(listed.rows), listed.notes
    else:
        base, written = Path(root) if root else path.parent, list(_from_csv(path))
    if not written:
        raise ManifestError(f"{path} lists no videos; {LAYOUT}")
    entries = [_normal(entry, path) for entry in written]
    train = {entry.label for entry in entries if entry.split == "train"}
    classes = train or {entry.label for entry in entries}
    notes = (*passed_over, *_check_labels(path, written, classes))
    manifest = Manifest(base.absolute(), tuple(entries), tuple(sorted(classes)), notes=notes)
    identities = _identities(path, manifest)
    if not allow_group_leak:
        refuse_leak(str(path), manifest)
        _refuse_overlap(path, manifest, identities)
    return manifest


def _normal(entry: Entry, path: Path) -> Entry:
    label, group = labels.normal(entry.label), labels.normal(entry.group)
    for name, value in (("path", entry.path), ("label", label), ("group", group)):
        if why := names.flaw(value):
            raise ManifestError(f"{path}: the {name} {few([value])} {why}; rename it")
    return replace(entry, label=label, group=group)


def _divided(rows: Sequence[tuple[str, str, str]]) -> list[Entry]:
    """Entries of paths, labels and splits; where there are no splits, some are drawn for test."""
    if all(split for _, _, split in rows):
        return [Entry(*row) for row in rows]
    return _hash_split([Entry(path, label, "train") for path, label, _ in rows])


def _hash_split(entries: Sequence[Entry]) -> list[Entry]:
    """Sends about a fifth of each class to test, and at least one of two or more."""
    result = []

    def draw(entry: Entry) -> bytes:
        return hashlib.sha256(entry.path.encode("utf-8", "surrogateescape")).digest()

    for label in sorted({entry.label for entry in entries}):
        ours = sorted((entry for entry in entries if entry.label == label), key=draw)
        tests = max(1, round(_TEST_SHARE * len(ours))) if len(ours) > 1 else 0
        result += [Entry(entry.path, label, "test") for entry in ours[:tests]]
        result += [Entry(entry.path, label, "train") for entry in ours[tests:]]
    return result


class _Row(msgspec.Struct):
    """A row of a CSV; its cells may be empty where there is a default."""

    path: Name
    label: Name
    split: Name
    start: Seconds | None = None
    end: Seconds | None = None
    group: str = ""


def _from_csv(path: Path) -> Iterator[Entry]:
    rows: dict[tuple[object, ...], int] = {}
    for number, row in tables.read(path, _Row, fault=ManifestError):
        entry = _entry(row, path, number)
        first = rows.setdefault((os.path.normpath(entry.path), entry.start, entry.end), number)
        if first != number:
            raise ManifestError(
                f"{path} lists {few([entry.path])} twice, in rows {first} and {number}; remove one"
            )
        yield entry


def _entry(row: _Row, path: Path, line: int) -> Entry:
    split = split_name(row.split)
    if split not in SPLITS:
        raise ManifestError(
            f"{path}, line {line}: split {few([row.split])} is not one of {', '.join(SPLITS)}"
        )
    if row.end is not None and row.end <= (row.start or 0.0):
        raise ManifestError(
            f"{path}, line {line}: end {row.end:g} is not after start {row.start or 0:g}"
        )
    # Without `./` and doubled slashes, so that one file has one name.
    name = PurePosixPath(row.path).as_posix()
    return Entry(name, row.label, split, row.start, row.end, row.group)


def _identities(path: Path, manifest: Manifest) -> dict[str, tuple[int, int]]:
    """Which file on the disk each path is, whatever links lead to it.

    Raises:
      ManifestError: names some of the files that are absent.
    """
    found, missing = {}, []
    for entry in manifest.entries:
        file = manifest.file(entry)
        if not file.is_file():
            missing.append(entry.path)
            continue
        status = file.stat()
        found[entry.path] = status.st_dev, status.st_ino
    if missing:
        raise ManifestError(
            f"{path} names {len(missing)} files that do not exist below {manifest.root}: "
            f"{few(missing)}; correct the paths or set data.root"
        )
    return found


def _check_labels(path: Path, written: Sequence[Entry], classes: Iterable[str]) -> tuple[str, ...]:
    """What a user should know of the labels.

    Raises:
      ManifestError: some labels contradict each other.
    """
    spellings = {entry.label for entry in written}
    found = {labels.normal(label) for label in spellings}
    if unknown := sorted(found - set(classes)):
        raise ManifestError(
            f"{path}: no training video has the label {few(unknown)} that others have; "
            "add training videos of it or remove the others"
        )
    if same := labels.equal_numbers(found):
        raise ManifestError(
            f"{path}: the labels {few(same)} are one number; write it in one way, or use words"
        )
    notes = [
        f"{path}: the label {label!r} is written on several lines; it is read as "
        f"{labels.normal(label)!r}"
        for label in labels.broken(spellings)
    ]
    notes += [
        f"{path}: the label {label!r} is written in several Unicode forms or with spaces around "
        "it; they are one class"
        for label in labels.respelled(spellings)
    ]
    alike = [
        f"warning: {path}: the labels {few(pair)} differ in case or spaces alone; they are "
        "different classes"
        for pair in labels.near_misses(found)
    ]
    return (*notes, *alike)


def _refuse_overlap(
    path: Path, manifest: Manifest, identities: Mapping[str, tuple[int, int]]
) -> None:
    """Refuses moments of a video that are in training and in evaluation.

    Raises:
      ManifestError: names the first.
    """
    by_start = sorted(
        manifest.entries, key=lambda entry: (identities[entry.path], entry.start or 0)
    )
    for _, pieces in itertools.groupby(by_start, key=lambda entry: identities[entry.path]):
        last: dict[bool, Entry] = {}
        for piece in pieces:
            trains = piece.split == "train"
            other = last.get(not trains)
            if other and (piece.start or 0) < _end(other):
                raise ManifestError(
                    f"{path}: {_piece(other)} and {_piece(piece)} show the same moments, which "
                    "inflates the score; move them to one split, or set data.allow_group_leak=true"
                )
            last[trains] = max(piece, last.get(trains, piece), key=_end)


def _end(entry: Entry) -> float:
    return float("inf") if entry.end is None else entry.end


def _piece(entry: Entry) -> str:
    end = "its end" if entry.end is None else f"{entry.end:g} s"
    span = (
        "" if entry.start is None and entry.end is None else f" ({entry.start or 0:g} s to {end})"
    )
    return f"{entry.path!r}{span} in {entry.split}"


def refuse_leak(name: str, manifest: Manifest) -> None:
    """Refuses a data set of which one group is in training and in evaluation.

    Raises:
      ManifestError: names some of the groups.
    """
    if manifest.leaked_groups:
        raise ManifestError(
            f"{name}: group {few(manifest.leaked_groups)} is in training and in evaluation, which "
            "inflates the score; move its videos to one split, or set data.allow_group_leak=true"
        )


def few(found: Sequence[str]) -> str:
    """The first three names, each on one line and cut if long, and how many more there are."""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(repr(_cut(name)) for name in found[:3]) + more


def _cut(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:199]}…"

"""Manifests: the videos of a data set with labels and splits, from a class folder or a CSV."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidjax import untrusted_names
from vidjax.data import labels, multi_label_text
from vidjax.data.manifest_csv import read_rows
from vidjax.data.manifest_entry import Entry, ManifestError, Seconds
from vidjax.data.manifest_folder import LAYOUT, read_folder
from vidjax.data.splits import SPLITS
from vidjax.storage.file_info import file_infos
from vidjax.storage.paths import as_path
from vidjax.untrusted_names import did_you_mean, few

__all__ = [
    "Entry",
    "Exclusion",
    "Manifest",
    "ManifestError",
    "Seconds",
    "few",
    "hash_split",
    "read_manifest",
    "refuse_leak",
]
_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Exclusion:
    """A listed video that is not used, and the reason."""

    entry: Entry
    reason: str


@dataclass(frozen=True)
class Manifest:
    """Videos with labels and splits.

    Attributes:
      root: folder that relative paths start from.
      entries: the videos.
      classes: class names in the order of their indices: the published order, or for your own
        videos the sorted labels of the training split.
      excluded: listed videos that are not used.
      notes: messages for the user, one sentence each.
      multi_label: whether a video may have several labels, or none.
      drawn: whether `hash_split` assigned the splits, because the source names none.

    Raises:
      ManifestError: a class name cannot be stored.
    """

    root: Path
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    multi_label: bool = False
    drawn: bool = False

    def __post_init__(self) -> None:
        for name in self.classes:
            # Prepared data sets store class names as lines of a text file.
            why = untrusted_names.flaw(name)
            if self.multi_label:
                why = why or multi_label_text.class_flaw(name)
            if why:
                raise ManifestError(f"the label {few([name])} {why}; rename it")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have videos."""
        present = {entry.split for entry in self.entries}
        return tuple(split for split in SPLITS if split in present)

    def split(self, name: str) -> tuple[Entry, ...]:
        """Returns the videos of a split."""
        return tuple(entry for entry in self.entries if entry.split == name)

    def labels_of(self, entry: Entry) -> tuple[str, ...]:
        """Returns the labels of a video: one, or any number in a multi-label manifest."""
        if self.multi_label:
            return multi_label_text.split_labels(entry.label)
        return (entry.label,) if entry.label else ()

    def file(self, entry: Entry) -> Path:
        """Returns the path of a video, or of the archive that contains it."""
        return entry.file(self.root)

    def without(self, flaw: Callable[[Entry], str]) -> Manifest:
        """Excludes the videos for which `flaw` returns a reason."""
        flaws = [flaw(entry) for entry in self.entries]
        kept = tuple(entry for entry, why in zip(self.entries, flaws, strict=True) if not why)
        out = [Exclusion(*pair) for pair in zip(self.entries, flaws, strict=True) if pair[1]]
        return replace(self, entries=kept, excluded=(*self.excluded, *out))

    @property
    def leaked_groups(self) -> list[str]:
        """Groups (people, source videos) that are in both training and evaluation, sorted."""
        groups = {
            split: {entry.group for entry in self.entries if entry.group and entry.split == split}
            for split in SPLITS
        }
        return sorted(groups["train"] & (groups["val"] | groups["test"]))

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, independent of their order and of the root."""
        rows = sorted(repr(entry) for entry in self.entries)
        # The single label `a;b` is different from the labels `a` and `b`.
        rows = ["several labels", *rows] if self.multi_label else rows
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def read_manifest(
    path: str | Path,
    *,
    root: str | Path | None = None,
    allow_group_leak: bool = False,
    multi_label: bool = False,
) -> Manifest:
    """Reads a folder of videos or a CSV `path,label,split[,start,end,group]`.

    A multi-label CSV has a column `labels` in place of `label`, with cells such as `carry;walk`,
    and `(none)` for a video that shows none of the classes.

    A folder `class/video.*` without splits is split by a hash of the file names: about a fifth
    becomes `test`, the same on every machine.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("run/1.mp4", "run/2.mp4", "walk/1.mp4", "walk/2.mp4"):
    ...         (Path(folder) / name).parent.mkdir(exist_ok=True)
    ...         (Path(folder) / name).touch()
    ...     manifest = read_manifest(folder)
    >>> manifest.classes, manifest.splits, len(manifest.split("train"))
    (('run', 'walk'), ('train', 'test'), 2)

    Args:
      path: folder or CSV file.
      root: folder that the CSV's paths are relative to. None means the folder of the CSV.
      allow_group_leak: accept a group that is in both training and test.
      multi_label: whether a video may have several labels.

    Raises:
      ManifestError: something is missing or inconsistent; the message names it and the fix.
    """
    path = as_path(path)
    if not path.exists():
        raise ManifestError(f"{path} does not exist; name a folder of videos or a CSV file")
    passed_over: tuple[str, ...] = ()
    drawn = False
    if path.is_dir() and multi_label:
        raise ManifestError(
            f"data.multi_label = True, but {path} is a folder, whose videos have one label each; "
            "list the videos in a CSV with the columns path,labels,split"
        )
    if path.is_dir():
        listed = read_folder(path, ManifestError)
        drawn = not all(split for _, _, split in listed.rows)
        base, written, passed_over = path, _divided(listed.rows, drawn), listed.notes
    else:
        base, written = as_path(root) if root else path.parent, list(read_rows(path, multi_label))
    if not written:
        raise ManifestError(f"{path} lists no videos; {LAYOUT}")
    entries = [_normal(entry, path, multi_label) for entry in written]
    classes = _classes(path, entries, multi_label)
    notes = (*passed_over, *_check_labels(path, written, classes, multi_label))
    known = tuple(sorted(classes))
    manifest = Manifest(
        base.absolute(),
        tuple(entries),
        known,
        notes=notes,
        multi_label=multi_label,
        drawn=drawn,
    )
    identities = _identities(path, manifest)
    if not allow_group_leak:
        refuse_leak(str(path), manifest)
        _refuse_overlap(path, manifest, identities)
    return manifest


def _normal(entry: Entry, path: Path, multi_label: bool) -> Entry:
    found = [labels.normal(each) for each in _spellings(entry, multi_label)]
    group = labels.normal(entry.group)
    for name, value in (
        ("path", entry.path),
        *(("label", label) for label in found),
        ("group", group),
    ):
        if why := untrusted_names.flaw(value):
            raise ManifestError(f"{path}: the {name} {few([value])} {why}; rename it")
    label = multi_label_text.join_labels(found) if multi_label else found[0]
    return replace(entry, label=label, group=group)


def _spellings(entry: Entry, multi_label: bool) -> tuple[str, ...]:
    """Returns the labels of an entry as written."""
    return multi_label_text.labels_as_written(entry.label) if multi_label else (entry.label,)


def _classes(path: Path, entries: Sequence[Entry], multi_label: bool) -> set[str]:
    """Returns the labels of the training split, or of all videos if there is no training split.

    Raises:
      ManifestError: a split has videos but no labels.
    """
    found: dict[str, set[str]] = {}
    for entry in entries:
        own = multi_label_text.split_labels(entry.label) if multi_label else (entry.label,)
        found.setdefault(entry.split, set()).update(own)
    if bare := sorted(split for split, known in found.items() if not known):
        raise ManifestError(
            f"{path}: no video of split {bare[0]!r} has a label, so nothing can be learned or "
            "scored; add labelled videos to it"
        )
    return found.get("train") or set().union(*found.values())


def _divided(rows: Sequence[tuple[str, str, str]], drawn: bool) -> list[Entry]:
    """Makes entries of (path, label, split) rows; if there are no splits, draws them."""
    if not drawn:
        return [Entry(*row) for row in rows]
    return hash_split([Entry(path, label, "train") for path, label, _ in rows])


def hash_split(entries: Sequence[Entry]) -> list[Entry]:
    """Assigns about a fifth of each class to test, and at least one video if a class has two.

    A hash of its path decides the split of a video, so the result is the same on every machine.
    """
    result = []

    def draw(entry: Entry) -> bytes:
        return hashlib.sha256(entry.path.encode("utf-8", "surrogateescape")).digest()

    for label in sorted({entry.label for entry in entries}):
        ours = sorted((entry for entry in entries if entry.label == label), key=draw)
        tests = max(1, round(_TEST_SHARE * len(ours))) if len(ours) > 1 else 0
        result += [replace(entry, split="test") for entry in ours[:tests]]
        result += [replace(entry, split="train") for entry in ours[tests:]]
    return result


def _identities(path: Path, manifest: Manifest) -> dict[str, Hashable]:
    """Returns the identity of the file behind each path, following links.

    Raises:
      ManifestError: files are missing; the message names some of them.
    """
    found = file_infos(manifest.root, (entry.path for entry in manifest.entries))
    missing = [name for name, facts in found.items() if facts is None]
    if missing:
        raise ManifestError(
            f"{path} lists {len(missing)} files that do not exist below {manifest.root}: "
            f"{few(missing)}; correct the paths or set data.root"
        )
    return {name: facts.identity for name, facts in found.items() if facts}


def _check_labels(
    path: Path, written: Sequence[Entry], classes: Iterable[str], multi_label: bool
) -> tuple[str, ...]:
    """Checks the labels; returns notes for the user.

    Raises:
      ManifestError: labels are inconsistent.
    """
    spellings = {label for entry in written for label in _spellings(entry, multi_label)}
    found = {labels.normal(label) for label in spellings}
    if unknown := sorted(found - set(classes)):
        raise ManifestError(
            f"{path}: no training video has the label {few(unknown)}, but other videos do"
            f"{did_you_mean(unknown, classes)}; add training videos with it, or remove the others"
        )
    if same := labels.equal_numbers(found):
        raise ManifestError(
            f"{path}: the labels {few(same)} are the same number; write it in one way, or use words"
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
    between = multi_label_text.BETWEEN
    notes += [
        f"{path}: the label {label!r} is read as one class. If it means several labels, name the "
        "column 'labels' and set data.multi_label=True"
        for label in sorted(found)
        if between in label
    ]
    alike = [
        f"warning: {path}: the labels {few(pair)} differ only in case or spaces; they are "
        "different classes"
        for pair in labels.near_misses(found)
    ]
    return (*notes, *alike)


def _refuse_overlap(path: Path, manifest: Manifest, identities: Mapping[str, Hashable]) -> None:
    """Refuses segments of a video that overlap between training and evaluation.

    Raises:
      ManifestError: names the first overlapping pair.
    """
    by_start = sorted(
        manifest.entries, key=lambda entry: (repr(identities[entry.path]), entry.start or 0)
    )
    for _, segments in itertools.groupby(by_start, key=lambda entry: identities[entry.path]):
        last: dict[bool, Entry] = {}
        for segment in segments:
            trains = segment.split == "train"
            other = last.get(not trains)
            if other and (segment.start or 0) < _end(other):
                raise ManifestError(
                    f"{path}: {_segment(other)} and {_segment(segment)} overlap, which inflates "
                    "the score; move them to one split, or set data.allow_group_leak=true"
                )
            last[trains] = max(segment, last.get(trains, segment), key=_end)


def _end(entry: Entry) -> float:
    return float("inf") if entry.end is None else entry.end


def _segment(entry: Entry) -> str:
    end = "its end" if entry.end is None else f"{entry.end:g} s"
    span = (
        "" if entry.start is None and entry.end is None else f" ({entry.start or 0:g} s to {end})"
    )
    return f"{entry.path!r}{span} in {entry.split}"


def refuse_leak(name: str, manifest: Manifest) -> None:
    """Refuses a data set with a group in both training and evaluation.

    Raises:
      ManifestError: names some of the groups.
    """
    if manifest.leaked_groups:
        raise ManifestError(
            f"{name}: group {few(manifest.leaked_groups)} is in both training and evaluation, "
            "which inflates the score; move its videos to one split, or set "
            "data.allow_group_leak=true"
        )

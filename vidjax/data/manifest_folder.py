"""Reads a folder of videos, with one folder per class and optionally one per split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidjax.data.splits import is_split, split_name
from vidjax.data.video_files import find_videos

LAYOUT = "expected class/video.mp4 or train/class/video.mp4 and test/class/video.mp4"


@dataclass(frozen=True)
class Listed:
    """The videos of a folder.

    Attributes:
      rows: (path, label, split) of each video; the split is empty if there are no split folders.
      notes: sentences about skipped files.
    """

    rows: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


def read_folder(folder: Path, fault: type[ValueError]) -> Listed:
    """Finds the videos of a folder and notes what was skipped.

    Args:
      folder: folder of class folders, or of split folders that contain class folders.
      fault: error type to raise if it is neither.
    """
    found = find_videos(folder)
    parts = [PurePosixPath(path).parts for path in sorted(found.videos)]
    notes = [f"{folder}: skipped {found.summary()}"] if found.skipped else []
    if not parts:
        raise fault(f"{folder} contains no videos; {'; '.join([*notes, LAYOUT])}")
    divided = [part for part in parts if len(part) > 2 and is_split(part[0])]
    splits = {split_name(part[0]) for part in divided}
    if divided and (len(splits) > 1 or len(divided) == len(parts)):
        outside = [part for part in parts if part not in set(divided)]
        if outside:
            notes.append(
                f"{folder}: skipped {len(outside)} videos outside the class folders of "
                f"{' or '.join(sorted(splits))}, such as {'/'.join(outside[0])!r}"
            )
        rows = [("/".join(part), part[1], split_name(part[0])) for part in divided]
    else:
        _refuse_levels(folder, parts, fault)
        rows = [("/".join(part), part[0], "") for part in parts]
    _refuse_splits(folder, {label for _, label, _ in rows}, fault)
    return Listed(tuple(rows), tuple(notes))


def _refuse_levels(folder: Path, parts: Sequence[tuple[str, ...]], fault: type[ValueError]) -> None:
    shallow = [part for part in parts if len(part) < 2]
    if shallow:
        raise fault(f"{folder / shallow[0][0]} is not in a class folder; {LAYOUT}")
    (first, *others), inner = {part[0] for part in parts}, {part[1] for part in parts}
    if not others and all(len(part) > 2 for part in parts):
        raise fault(
            f"{folder} has only one class folder, {first!r}, which contains the folders "
            f"{', '.join(sorted(inner)[:5])}. If those are the classes or splits, use "
            f"{folder / first} instead"
        )


def _refuse_splits(folder: Path, labels: set[str], fault: type[ValueError]) -> None:
    taken = sorted(label for label in labels if is_split(label))
    if taken:
        raise fault(
            f"{folder}: a class folder has the name of a split: {', '.join(map(repr, taken))}; "
            f"{LAYOUT}. If it is a class, rename it, or write a CSV"
        )

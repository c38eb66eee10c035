"""A folder as a list of videos: classes are folders, and so are splits, where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidjax.data.splits import is_split, split_name
from vidjax.data.video_files import look

LAYOUT = "expected class/video.mp4 or train/class/video.mp4 and test/class/video.mp4"


@dataclass(frozen=True)
class Listed:
    """What a folder holds.

    Attributes:
      rows: path, label and split of each video; the split is empty where there are none.
      notes: what was passed over, a sentence each.
    """

    rows: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


def read_folder(folder: Path, fault: type[ValueError]) -> Listed:
    """Finds the videos of a folder, and says what else is there.

    Args:
      folder: of classes, or of splits of classes.
      fault: raised where it is neither.
    """
    found = look(folder)
    parts = [PurePosixPath(path).parts for path in sorted(found.videos)]
    notes = [f"{folder}: passed over {found.told()}"] if found.passed_over else []
    if not parts:
        raise fault(f"{folder} holds no videos; {'; '.join([*notes, LAYOUT])}")
    divided = [part for part in parts if len(part) > 2 and is_split(part[0])]
    splits = {split_name(part[0]) for part in divided}
    if divided and (len(splits) > 1 or len(divided) == len(parts)):
        outside = [part for part in parts if part not in set(divided)]
        if outside:
            notes.append(
                f"{folder}: passed over {len(outside)} videos that are in no class of "
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
        raise fault(f"{folder / shallow[0][0]} is in no class folder; {LAYOUT}")
    (first, *others), inner = {part[0] for part in parts}, {part[1] for part in parts}
    if not others and all(len(part) > 2 for part in parts):
        raise fault(
            f"{folder} would have one class, {first!r}, of the folders "
            f"{', '.join(sorted(inner)[:5])} in it; name {folder / first} instead, if those are "
            "the classes or splits"
        )


def _refuse_splits(folder: Path, labels: set[str], fault: type[ValueError]) -> None:
    taken = sorted(label for label in labels if is_split(label))
    if taken:
        raise fault(
            f"{folder}: a class would be called {', '.join(map(repr, taken))}, as splits are; "
            f"{LAYOUT}. If it is a class, rename it, or write a CSV"
        )

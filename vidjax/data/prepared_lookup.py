"""Finding the prepared data set that was made of given files.

Data sets of equal names lie beside one another, told apart by their files. One is recognised if it
was made of the same files, wherever they lie now. Earlier versions recorded names alone: what they
prepared is recognised if no file has changed since, and if some of its videos, decoded again, give
the frames that are stored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.dataset_errors import DamagedError
from vidjax.data.dataset_info import INFO
from vidjax.data.decoded_cache import spool_of
from vidjax.data.prepared import PreparedSplit
from vidjax.data.record import Record
from vidjax.data.source_files import Sources, describe_change, recorded_root

# Videos of each split that are decoded again to recognise what has no record of its files.
_LOOKS = 2
Decode = Callable[[str], tuple[Sequence[bytes], float] | None]


@dataclass(frozen=True)
class Found:
    """What there is already.

    Attributes:
      folder: the prepared data set of these files; None where there is none.
      note: what a user should know of it, or of the nearest one; empty where nothing.
    """

    folder: Path | None
    note: str = ""


def find(folder: Path, stem: str, sources: Sources, splits: Sequence[str], decode: Decode) -> Found:
    """Looks for the prepared data set of some files.

    Args:
      folder: where it would be prepared: `NAME/STEM-OF_THE_FILES/VERSION`.
      stem: what the names of all data sets of these names begin with.
      sources: the files.
      splits: names of its splits.
      decode: the frames of a video, encoded, and their rate; None for an unknown name.
    """
    if is_finished(folder):
        return Found(folder, _moved(sources, recorded_root(folder), folder))
    nearest = ""
    for other in sorted(folder.parent.parent.glob(f"{stem}*/{folder.name}")):
        if not is_finished(other) or other.parent.name[len(stem) :][:1] not in ("", "-"):
            continue
        earlier = Sources.read(other)
        if earlier is None:
            reason = _unlike(other, sources, splits, decode)
            if not reason:
                with contextlib.suppress(OSError):
                    sources.write(other)
                return Found(other)
            nearest = f"{other} has no record of its files, and {reason}; they are prepared anew"
        elif earlier.files.keys() == sources.files.keys():
            if sources.is_same(earlier):
                return Found(other, _moved(sources, earlier.root, other))
            nearest = describe_change(sources, earlier, other)
    return Found(None, nearest)


def is_finished(folder: Path) -> bool:
    """Whether a data set is there and all is said of it."""
    return (folder / INFO).is_file() and not spool_of(folder).is_dir()


def _moved(sources: Sources, root: str | None, folder: Path) -> str:
    if root in (None, sources.root):
        return ""
    return (
        f"{folder} was prepared from the files in {root}; those in {sources.root} have the same "
        "names, sizes and times, and count as the same"
    )


def _unlike(folder: Path, sources: Sources, splits: Sequence[str], decode: Decode) -> str:
    """Why a data set without a record of its files is not of these; empty if it is."""
    if sources.newest() > (folder / INFO).stat().st_mtime_ns:
        return "some have changed since it was prepared"
    for split in splits:
        try:
            stored = PreparedSplit(folder, split)
            records = [stored[index] for index in range(min(_LOOKS, len(stored)))]
            alike = all(_is_alike(record, decode) for record in records)
        except DamagedError as error:
            return str(error)
        except ValueError:
            alike = False
        if not alike:
            return f"videos of split {split!r} decode to other frames than are stored"
    return ""


def _is_alike(record: Record, decode: Decode) -> bool:
    found = decode(record.name)
    if found is None or list(found[0]) != list(record.jpegs):
        return False
    # Rates are stored in single precision.
    return bool(np.float32(found[1]) == np.float32(record.fps))

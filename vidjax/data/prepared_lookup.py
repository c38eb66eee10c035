"""Finds the prepared data set that was made from given video files.

Data sets of the same name but from different files are kept side by side. A data set matches if it
was made from the same files, even if they have been moved. Earlier versions recorded only file
names. Their data sets match if no file has changed since, and if some videos, decoded again, give
the stored frames.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.data.dataset_errors import DamagedError
from vidjax.data.dataset_info import INFO
from vidjax.data.decoded_cache import unfinished_folder
from vidjax.data.prepared import PreparedSplit
from vidjax.data.record import Record
from vidjax.data.source_files import SourceFiles, describe_change, recorded_root

# Videos per split that are decoded again for a data set without a record of its source files.
_LOOKS = 2
Decode = Callable[[str], tuple[Sequence[bytes], float] | None]


@dataclass(frozen=True)
class Match:
    """The result of the search.

    Attributes:
      folder: the matching prepared data set; None if there is none.
      note: message for the user about it, or about the closest other one; may be empty.
    """

    folder: Path | None
    note: str = ""


def find_prepared(
    folder: Path, stem: str, sources: SourceFiles, splits: Sequence[str], decode: Decode
) -> Match:
    """Searches for the prepared data set of some video files.

    Args:
      folder: folder that it would be prepared in: `NAME/STEM-DIGEST_OF_FILES/VERSION`.
      stem: common prefix of the names of all data sets with these file names.
      sources: the video files.
      splits: names of the splits.
      decode: returns a video's encoded frames and frame rate; None for an unknown name.
    """
    if is_finished(folder):
        return Match(folder, _moved(sources, recorded_root(folder), folder))
    nearest = ""
    for other in sorted(folder.parent.parent.glob(f"{stem}*/{folder.name}")):
        if not is_finished(other) or other.parent.name[len(stem) :][:1] not in ("", "-"):
            continue
        earlier = SourceFiles.read(other)
        if earlier is None:
            reason = _unlike(other, sources, splits, decode)
            if not reason:
                with contextlib.suppress(OSError):
                    sources.write(other)
                return Match(other)
            nearest = f"{other} has no record of its files, and {reason}; they are prepared again"
        elif earlier.files.keys() == sources.files.keys():
            if sources.is_same(earlier):
                return Match(other, _moved(sources, earlier.root, other))
            nearest = describe_change(sources, earlier, other)
    return Match(None, nearest)


def is_finished(folder: Path) -> bool:
    """Returns whether a data set exists and is complete."""
    return (folder / INFO).is_file() and not unfinished_folder(folder).is_dir()


def _moved(sources: SourceFiles, root: str | None, folder: Path) -> str:
    if root in (None, sources.root):
        return ""
    return (
        f"{folder} was prepared from the files in {root}. The files in {sources.root} have the "
        "same names, sizes and times, and are treated as the same"
    )


def _unlike(folder: Path, sources: SourceFiles, splits: Sequence[str], decode: Decode) -> str:
    """Returns why a data set without a record of its files does not match; empty if it does."""
    if sources.newest() > (folder / INFO).stat().st_mtime_ns:
        return "some of the files have changed since it was prepared"
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
            return f"videos of split {split!r} decode to other frames than the stored ones"
    return ""


def _is_alike(record: Record, decode: Decode) -> bool:
    found = decode(record.name)
    if found is None or list(found[0]) != list(record.jpegs):
        return False
    # Rates are stored in single precision.
    return bool(np.float32(found[1]) == np.float32(record.fps))

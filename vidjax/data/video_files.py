"""The videos below a folder, found in one walk: a look-up each would take hours on large sets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vidjax.storage.file_info import files_below
from vidjax.storage.paths import is_url

# Those of FFmpeg's containers and raw streams that hold video, as cameras and programs write them.
VIDEO_SUFFIXES = frozenset(
    """
    .264 .265 .3g2 .3gp .3gpp .amv .asf .avi .avs .divx .dv .evo .f4v .flv .gif .gxf .h261 .h263
    .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v .m4v .mj2 .mjpeg .mjpg .mkv .mod .mov .mp4 .mpe
    .mpeg .mpg .mpv .mts .mxf .nut .obu .ogm .ogv .ogx .qt .rm .rmvb .roq .tod .trp .ts .vob .webm
    .wmv .wtv .xvid .y4m
    """.split()  # noqa: SIM905
)
# What systems put beside the files of their users; macOS also puts `._name` beside each name.
_OF_SYSTEMS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"))


@dataclass
class Found:
    """What is below a folder.

    Attributes:
      videos: their paths, relative to it.
      passed_over: how many of other things there are, by what they are.
    """

    videos: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """What was passed over, in words, the most first; empty if nothing."""
        return ", ".join(f"{count} x {what}" for what, count in self.passed_over.most_common())


def look(folder: Path) -> Found:
    """Everything below a folder; links to folders are followed, to each folder once.

    Hidden files and folders, and those of systems, are passed over.
    """
    if is_url(folder):
        return _look_in_bucket(folder)
    found, visited = Found(), {os.path.realpath(folder)}
    for here, folders, files in os.walk(folder, followlinks=True):
        base = Path(here).relative_to(folder)
        folders[:] = [
            name for name in _own_first(here, folders) if _enters(here, name, visited, found)
        ]
        for name in sorted(files):
            what = _what(here, name)
            if what:
                found.passed_over[what] += 1
            else:
                found.videos.append((base / name).as_posix())
    return found


def _look_in_bucket(folder: Path) -> Found:
    """As `look`, by one listing; a bucket has no links."""
    found = Found()
    for path, _ in files_below(folder):
        *folders, name = PurePosixPath(path).parts
        hidden = any(part[0] == "." or part in _OF_SYSTEMS for part in folders)
        what = "file in a hidden folder" if hidden else _what_by_name(name)
        if what:
            found.passed_over[what] += 1
        else:
            found.videos.append(path)
    return found


def videos_below(folder: Path) -> Iterator[str]:
    """Paths of all videos, relative to `folder`, as `look` finds them."""
    yield from look(folder).videos


def videos_by_stem(folder: Path, *, prefer: str = "") -> dict[str, str]:
    """Paths of all videos by their names without folder and suffix.

    Args:
      folder: where to look.
      prefer: beginning of a folder's name; of several videos of one name, one that lies in such
        a folder is taken, else the first in the order of paths.
    """
    found: dict[str, str] = {}
    for path in sorted(videos_below(folder), key=lambda path: (not _within(path, prefer), path)):
        found.setdefault(PurePosixPath(path).stem, path)
    return found


def _own_first(here: str, folders: list[str]) -> list[str]:
    """Of a folder and a link to it, the folder itself counts."""
    return sorted(folders, key=lambda name: (os.path.islink(os.path.join(here, name)), name))


def _enters(here: str, name: str, visited: set[str], found: Found) -> bool:
    if name[0] == "." or name in _OF_SYSTEMS:
        found.passed_over["hidden folder"] += 1
        return False
    place = os.path.realpath(os.path.join(here, name))
    if place in visited:
        found.passed_over["link to a folder that is there already"] += 1
        return False
    visited.add(place)
    return True


def _what(here: str, name: str) -> str:
    """What a file is if it is no video."""
    what = _what_by_name(name)
    if not what and not os.path.exists(os.path.join(here, name)):
        return "link to a file that is gone"
    return what


def _what_by_name(name: str) -> str:
    """What a file is, as far as its name tells, if it is no video."""
    if name[0] == ".":
        return "hidden file"
    suffix = os.path.splitext(name)[1].lower()
    return "" if suffix in VIDEO_SUFFIXES else suffix or "file without a suffix"


def _within(path: str, prefer: str) -> bool:
    return bool(prefer) and any(part.startswith(prefer) for part in PurePosixPath(path).parts[:-1])

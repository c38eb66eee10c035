"""Finds the video files below a folder in one walk, since separate look-ups would take hours."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vidjax.storage.file_info import files_below
from vidjax.storage.paths import is_url

# Suffixes of video containers and raw video streams that FFmpeg reads.
VIDEO_SUFFIXES = frozenset(
    """
    .264 .265 .3g2 .3gp .3gpp .amv .asf .avi .avs .divx .dv .evo .f4v .flv .gif .gxf .h261 .h263
    .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v .m4v .mj2 .mjpeg .mjpg .mkv .mod .mov .mp4 .mpe
    .mpeg .mpg .mpv .mts .mxf .nut .obu .ogm .ogv .ogx .qt .rm .rmvb .roq .tod .trp .ts .vob .webm
    .wmv .wtv .xvid .y4m
    """.split()  # noqa: SIM905
)
# Folders that operating systems add. macOS also adds a file `._name` beside each file.
_OF_SYSTEMS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"))


@dataclass
class Found:
    """The contents of a folder.

    Attributes:
      videos: paths of the videos, relative to the folder.
      skipped: number of skipped files and folders, by kind.
    """

    videos: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Describes what was skipped, the most frequent first; empty if nothing was."""
        return ", ".join(f"{count} x {what}" for what, count in self.skipped.most_common())


def find_videos(folder: Path) -> Found:
    """Finds all videos below a folder. Links to folders are followed, each folder only once.

    Hidden files and folders, and those of operating systems, are skipped.
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
                found.skipped[what] += 1
            else:
                found.videos.append((base / name).as_posix())
    return found


def _look_in_bucket(folder: Path) -> Found:
    """Does the same as `find_videos`, from one listing of a bucket, which has no links."""
    found = Found()
    for path, _ in files_below(folder):
        *folders, name = PurePosixPath(path).parts
        hidden = any(part[0] == "." or part in _OF_SYSTEMS for part in folders)
        what = "file in a hidden folder" if hidden else _what_by_name(name)
        if what:
            found.skipped[what] += 1
        else:
            found.videos.append(path)
    return found


def videos_below(folder: Path) -> Iterator[str]:
    """Yields the paths of all videos, relative to `folder`, as found by `find_videos`."""
    yield from find_videos(folder).videos


def videos_by_stem(folder: Path, *, prefer: str = "") -> dict[str, str]:
    """Returns the paths of all videos by file name without suffix.

    Args:
      folder: folder to search.
      prefer: prefix of a folder name. Of several videos with the same name, one in such a folder
        is taken, otherwise the first in the order of paths.
    """
    found: dict[str, str] = {}
    for path in sorted(videos_below(folder), key=lambda path: (not _within(path, prefer), path)):
        found.setdefault(PurePosixPath(path).stem, path)
    return found


def _own_first(here: str, folders: list[str]) -> list[str]:
    """Sorts links last, so that a folder is found before a link to it."""
    return sorted(folders, key=lambda name: (os.path.islink(os.path.join(here, name)), name))


def _enters(here: str, name: str, visited: set[str], found: Found) -> bool:
    if name[0] == "." or name in _OF_SYSTEMS:
        found.skipped["hidden folder"] += 1
        return False
    place = os.path.realpath(os.path.join(here, name))
    if place in visited:
        found.skipped["link to a folder that is already included"] += 1
        return False
    visited.add(place)
    return True


def _what(here: str, name: str) -> str:
    """Returns the kind of a file that is not a video; empty for a video."""
    what = _what_by_name(name)
    if not what and not os.path.exists(os.path.join(here, name)):
        return "broken link"
    return what


def _what_by_name(name: str) -> str:
    """Does the same as `_what`, but judges only by the name."""
    if name[0] == ".":
        return "hidden file"
    suffix = os.path.splitext(name)[1].lower()
    return "" if suffix in VIDEO_SUFFIXES else suffix or "file without a suffix"


def _within(path: str, prefer: str) -> bool:
    return bool(prefer) and any(part.startswith(prefer) for part in PurePosixPath(path).parts[:-1])

"""One row of a manifest: a video, or a segment of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from vidjax.storage.paths import as_path, is_url

# A year is longer than any video.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3.2e7)]


class ManifestError(ValueError):
    """A manifest or folder cannot be used as a data set."""


@dataclass(frozen=True)
class Place:
    """Position of a video inside an archive, such as a tar.

    Attributes:
      file: path of the archive, relative to the manifest's root.
      start: offset of the video's first byte.
      size: size of the video in bytes.
    """

    file: str
    start: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One video, or one segment of a video.

    Attributes:
      path: file, relative to the manifest's root, or absolute, or a URL.
      label: class name; several are joined by `vidjax.data.multi_label_text.join_labels`.
      split: `train`, `val` or `test`.
      start: start of the segment in seconds; None is the start of the video.
      end: end of the segment in seconds; None is the end of the video.
      group: person or source video. A group must not be in both training and test.
      place: position in an archive; None for a file of its own. It is looked up each time, and the
        digest of the manifest does not include it.
    """

    path: str
    label: str
    split: str
    start: float | None = None
    end: float | None = None
    group: str = ""
    place: Place | None = field(default=None, repr=False, compare=False)

    @property
    def held_in(self) -> str:
        """Path of the video's file, or of the archive that contains it."""
        return self.place.file if self.place else self.path

    def file(self, root: Path) -> Path:
        """Returns the path of the video, or of the archive that contains it.

        Args:
          root: folder that relative paths start from.
        """
        return as_path(self.held_in) if is_url(self.held_in) else root / self.held_in

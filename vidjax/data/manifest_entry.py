"""One row of a list of videos."""

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
    """Where a video lies in a file that holds many, such as a tar.

    Attributes:
      file: the file, relative to the manifest's root.
      start: the video's first byte in it.
      size: bytes of the video.
    """

    file: str
    start: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One video, or one piece of a video.

    Attributes:
      path: file, relative to the manifest's root, or absolute, or a URL.
      label: class name; of several, `vidjax.data.multi_label_text.joined` makes one text.
      split: `train`, `val` or `test`.
      start: where the piece begins in seconds; None is the beginning.
      end: where it ends in seconds; None is the end.
      group: person or source video; one group must not be in training and test.
      place: where it lies in a file of many; None where it is a file of its own. It is found
        anew each time and is no part of the list's digest.
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
        """Path of the file that the video is, or lies in."""
        return self.place.file if self.place else self.path

    def file(self, root: Path) -> Path:
        """Where the video is, or the file of many that it lies in.

        Args:
          root: folder that relative paths start from.
        """
        return as_path(self.held_in) if is_url(self.held_in) else root / self.held_in

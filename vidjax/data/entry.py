"""One row of a list of videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

# A year is longer than any video.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3.2e7)]


class ManifestError(ValueError):
    """A manifest or folder cannot be used as a data set."""


@dataclass(frozen=True)
class Entry:
    """One video, or one piece of a video.

    Attributes:
      path: file, relative to the manifest's root, or absolute.
      label: class name; of several, `vidjax.data.several_labels.joined` makes one text.
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

"""The data sets by name: each is one module of `vidjax.data.builders` with a `prepare` function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidjax import plugins, watchdog
from vidjax.data import builders
from vidjax.data.expected_videos import Outlook
from vidjax.data.optical_flow import Flow
from vidjax.data.process_pool import refuse_in_starting_worker
from vidjax.terminal import complain
from vidjax.untrusted_names import nearest

Progress = Callable[[str, int, int], None]
# From the name of a split to what some of its videos will be.
Look = Callable[[str], Sequence[Outlook]]
_OWN = "video_folder"
# Files in `builders` that are no data set but what several share.
_BASES = ("kinetics", "prepared_videos", "published_images", "published_videos")


@dataclass(frozen=True)
class Storage:
    """How frames are stored.

    Attributes:
      short_side: shorter side of the stored frames in pixels; smaller videos stay as they are.
      fps: frame rate that all videos are brought to; None keeps each video's own.
      quality: JPEG quality, 1 to 100.
      bad_video_budget: fraction of unreadable videos above which preparation stops.
      flow: how optical flow is computed, which is stored in place of frames; None stores frames.
    """

    short_side: int = 128
    fps: float | None = None
    quality: int = 90
    bad_video_budget: float = 0.25
    flow: Flow | None = None

    @property
    def tag(self) -> str:
        """Short name of the form, part of the data set's directory."""
        rate = "" if self.fps is None else f"-fps{self.fps:g}"
        # In front: names of data sets of frames must not be the beginning of others.
        form = f"{self.flow.tag}-" if self.flow else ""
        return f"{form}s{self.short_side}{rate}-q{self.quality}"


class UnpreparedError(ValueError):
    """A data set is not prepared, and nothing may be written to prepare it."""


@dataclass(frozen=True)
class Beam:
    """A runner of Apache Beam, such as `DirectRunner`, and its options as on a command line."""

    runner: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What a data set is asked for.

    Attributes:
      data_dir: where prepared data sets are kept.
      storage: how frames are stored.
      manifest: folder or CSV with the videos, where the data set is the user's own.
      root: folder that a CSV's paths are relative to; empty means the CSV's own.
      manual_dir: folder with the videos and annotations of a published data set.
      verdicts: CSV of `vidjax check_videos`; what it finds unsound is left out by name.
      allow_group_leak: accept one group in training and test.
      workers: processes that decode.
      beam: how Apache Beam decodes, on a cluster; None decodes here.
      dask: address of the Dask scheduler whose workers decode, such as `10.0.0.1:8786`; empty
        decodes here.
      options: settings of the data set itself.
      multi_label: a video may have several labels.
      unprepared: what to do where the data set is not prepared yet, as the end of an error; empty
        prepares it. Whoever only reads a run writes nothing where the run's configuration says.
      judge: called with the names of classes and of splits, and a function from a split to the
        `Outlook` of some of its videos, before any video is decoded; raises ValueError where they
        are not fit for what they are wanted for.
      progress: called with (what is done, how many, of how many).
      note: called with what a user should know.
    """

    data_dir: Path
    storage: Storage = Storage()
    manifest: str = ""
    root: str = ""
    manual_dir: str = ""
    verdicts: str = ""
    allow_group_leak: bool = False
    workers: int = 2
    beam: Beam | None = None
    dask: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    multi_label: bool = False
    unprepared: str = ""
    judge: Callable[[Sequence[str], Sequence[str], Look], None] = lambda classes, splits, look: None
    progress: Progress = lambda what, done, total: None
    note: Callable[[str], None] = complain

    def begin(self, reason: str) -> None:
        """To be called before anything is written.

        Args:
          reason: why it would be.

        Raises:
          UnpreparedError: nothing may be written; says what to do.
          ValueError: flow is to be computed by what this machine's OpenCV lacks.
        """
        if self.unprepared:
            raise UnpreparedError(f"{reason}: {self.unprepared}")
        if self.storage.flow:
            self.storage.flow.require()
        # Each video has its time; sorting and writing them take hours in which nothing is told.
        watchdog.pause()


def list_datasets() -> list[str]:
    """Names of the data sets, sorted, those of other packages too."""
    return [name for name in plugins.names(builders) if name not in _BASES]


def prepare(name: str, request: Request) -> Path:
    """Brings a data set into its prepared form, unless it is there already.

    Returns:
      The folder to open with `vidjax.data.prepared.PreparedSplit`.

    Raises:
      ValueError: the data set is unknown, or its videos cannot be prepared.
    """
    module = _module(name)
    refuse_in_starting_worker()
    if request.manifest and name != _OWN:
        request.note(
            f"data.manifest = {request.manifest!r} is not read: it is of {_OWN}, and the data set "
            f"is {name}"
        )
    with watchdog.as_before():
        directory: Path = module.prepare(request)
    return directory


def describe(name: str) -> str:
    """Where a data set is from, how its folder looks and what goes wrong with it, as text.

    Raises:
      ValueError: the data set is unknown.
    """
    prepare_it = _module(name).prepare
    published = getattr(prepare_it, "__self__", None)
    return str(published.describe() if published else inspect.getdoc(_module(name)))


def sizes(name: str) -> dict[str, int]:
    """Clips of each split as published; empty of a data set that does not say.

    Raises:
      ValueError: the data set is unknown.
    """
    published = getattr(_module(name).prepare, "__self__", None)
    return dict(getattr(published, "VIDEOS", ()))


def _module(name: str) -> Any:
    if name not in list_datasets():
        raise ValueError(f"data set {name!r} is unknown: {nearest(name, list_datasets())}")
    module = plugins.find(builders, name, "data set")
    if not callable(getattr(module.content, "prepare", None)):
        raise ValueError(f"data set {name!r}{module.origin} has no function prepare(request)")
    return module.content

"""Finds data sets by name: each is a module of `vidjax.data.builders` with a `prepare` function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidjax import plugins, watchdog
from vidjax.data import builders
from vidjax.data.expected_videos import ExpectedVideo
from vidjax.data.optical_flow import Flow
from vidjax.data.process_pool import end_in_starting_worker
from vidjax.terminal import complain
from vidjax.untrusted_names import nearest

Progress = Callable[[str, int, int], None]
# From the name of a split to the expected frames and size of some of its videos.
Look = Callable[[str], Sequence[ExpectedVideo]]
_OWN = "video_folder"
# Files in `builders` that are base classes, not data sets.
_BASES = ("kinetics", "prepared_videos", "published_images", "published_videos")


@dataclass(frozen=True)
class Storage:
    """How frames are stored.

    Attributes:
      short_side: shorter side of the stored frames in pixels; smaller videos stay as they are.
      fps: frame rate that all videos are resampled to; None keeps each video's own rate.
      quality: JPEG quality, 1 to 100.
      bad_video_budget: fraction of unreadable videos above which preparation stops.
      flow: how optical flow is computed and stored in place of frames; None stores frames.
    """

    short_side: int = 128
    fps: float | None = None
    quality: int = 90
    bad_video_budget: float = 0.25
    flow: Flow | None = None

    @property
    def tag(self) -> str:
        """Short name of these settings, part of the name of the data set's folder."""
        rate = "" if self.fps is None else f"-fps{self.fps:g}"
        # In front, so that the name of a data set of frames is never a prefix of another name.
        form = f"{self.flow.tag}-" if self.flow else ""
        return f"{form}s{self.short_side}{rate}-q{self.quality}"


class UnpreparedError(ValueError):
    """A data set is not prepared, and the caller does not allow preparing it."""


@dataclass(frozen=True)
class Beam:
    """An Apache Beam runner, such as `DirectRunner`, and its command-line options."""

    runner: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What to prepare, from which files, and how.

    Attributes:
      data_dir: folder of the prepared data sets.
      storage: how frames are stored.
      manifest: folder or CSV with your own videos.
      root: folder that a CSV's paths are relative to; empty means the folder of the CSV.
      manual_dir: folder with the videos and annotations of a published data set.
      verdicts: CSV written by `vidjax check_videos`; videos that it found broken are excluded and
        listed.
      allow_group_leak: accept a group that is in both training and test.
      workers: number of decoding processes.
      beam: Apache Beam runner that decodes on a cluster; None decodes on this machine.
      dask: address of the Dask scheduler whose workers decode, such as `10.0.0.1:8786`; empty
        decodes on this machine.
      options: options of the data set itself.
      multi_label: whether a video may have several labels.
      unprepared: if not empty, do not prepare a data set that is not prepared yet, but raise an
        error that ends with this text. A program that only reads a run uses this, so that it writes
        nothing to the folder in the run's configuration.
      judge: called before any video is decoded, with the class names, the split names, and a
        function from a split to the `ExpectedVideo`s of some of its videos. It raises ValueError if
        they do not suit their purpose.
      progress: called with (stage, number done, total).
      note: called with messages for the user.
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
        """Checks that the data set may be prepared; call it before anything is written.

        Args:
          reason: why something would be written, for the error.

        Raises:
          UnpreparedError: nothing may be written; the message says what to do.
          ValueError: this machine's OpenCV lacks the flow method.
        """
        if self.unprepared:
            raise UnpreparedError(f"{reason}: {self.unprepared}")
        if self.storage.flow:
            self.storage.flow.require()
        # Each video has its own time limit. Writing shards may take hours without any message.
        watchdog.pause()


def list_datasets() -> list[str]:
    """Returns the sorted names of all data sets, including those of other packages.

    >>> "kinetics400" in list_datasets()
    True
    """
    return [name for name in plugins.names(builders) if name not in _BASES]


def prepare(name: str, request: Request) -> Path:
    """Prepares a data set for training, if it is not prepared already.

    Returns:
      The folder to open with `vidjax.data.prepared.PreparedSplit`.

    Raises:
      ValueError: the data set is unknown, or it cannot be prepared.
    """
    module = _module(name)
    end_in_starting_worker()
    if request.manifest and name != _OWN:
        request.note(
            f"data.manifest = {request.manifest!r} is ignored: data.name is {name}, and only "
            f"{_OWN} reads a manifest"
        )
    with watchdog.resumed_after():
        directory: Path = module.prepare(request)
    return directory


def describe(name: str) -> str:
    """Describes a data set as text: where to get it, its folder layout, its options and pitfalls.

    Raises:
      ValueError: the data set is unknown.
    """
    prepare_it = _module(name).prepare
    published = getattr(prepare_it, "__self__", None)
    return str(published.describe() if published else inspect.getdoc(_module(name)))


def sizes(name: str) -> dict[str, int]:
    """Returns the published number of clips per split; empty if the data set does not state it.

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

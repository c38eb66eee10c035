"""Reading a prepared data set: random access to videos whose frames, or flow, are still JPEG."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidjax.data.dataset_errors import DamagedError, ReplacedError, telling_damage
from vidjax.data.integrity import open_data_set
from vidjax.data.optical_flow import X, Y
from vidjax.data.record import FlowRecord, Record
from vidjax.data.record_index import read_contents
from vidjax.data.targets import Label
from vidjax.data.tf_example import Example
from vidjax.data.transforms import COLOURS
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.shard_cache import ShardCache, shard_cache

# What a `VideoSource` need not have. `shard_lengths`: how many videos each file of the split has,
# in their order. `expect(index)` is told that a video will be asked for soon. `fits(shards)` says
# whether so many, or all, can be on this machine at once. `names()` are those of all videos.
# `channels` are those of a frame of a clip, where they are not three colours.
OF_SOME_SPLITS = ("shard_lengths", "expect", "fits", "names", "channels")
# What names a video, and a picture in TFDS's own data sets.
_NAMES = ("video", "file_name", "id")
# Records that are tried before all of a split count as damaged.
_TRIES = 100


class VideoSource(Protocol):
    """A split: random access to videos, with its class names and what was unreadable.

    Attributes:
      classes: class names, index by index.
      manifest_digest: stands for the list of videos.
      broken: what could not be read, as rows with `video`, `label` and `error`.
      multi_label: whether a video may have several labels; False where it is absent.
    """

    classes: tuple[str, ...]
    manifest_digest: str
    broken: Sequence[Mapping[str, str]]
    multi_label: bool

    def __len__(self) -> int:
        """Number of videos."""
        ...

    def __getitem__(self, index: int) -> Record:
        """One video."""
        ...

    def labels(self) -> np.ndarray:
        """Class index of each video, int `[N]`; -1 where a damaged one does not tell."""
        ...


def channels_of(source: VideoSource) -> int:
    """Channels of a frame of a clip: 3 colours, or 2 L of L pairs of flow."""
    return getattr(source, "channels", COLOURS)


def names_of(source: VideoSource) -> list[str]:
    """The name of each video of a split, in order."""
    names = getattr(source, "names", None)
    return list(names()) if names else [source[index].name for index in range(len(source))]


class PreparedSplit:
    """A split of a prepared data set as a random-access source of `Record`s.

    Pictures, which TFDS's own data sets have in place of frames, are videos of one frame, one
    frame a second.

    Args:
      directory: the folder that TFDS wrote, with `dataset_info.json`.
      split: name of the split, such as `train`; `val` is also what TFDS calls `validation`.
      cache: copies of shards on this machine, which are read in their stead. None is
        `shard_cache()` for a data set in a bucket, and none for one on a disk.
      in_place: make no copies even of a data set in a bucket. ArrayRecord itself reads `gs://`, a
        request a video, in every epoch anew.
      pairs: number L of successive fields that a clip shows at one place, of a data set of flow.

    Attributes:
      channels: 3 colours of a frame, or 2 L of flow.

    Raises:
      ValueError: no prepared data set is there, or it is damaged, or it has no such split, or no
        labels in it; or the copies may take less than a shard alone.
    """

    def __init__(
        self,
        directory: str | Path,
        split: str,
        cache: ShardCache | None = None,
        *,
        in_place: bool = False,
        pairs: int = 1,
    ) -> None:
        self._folder, self._split = as_path(directory), split
        if cache is None and is_url(self._folder) and not in_place:
            cache = shard_cache()
        found = open_data_set(self._folder)
        info = found.info
        named = _name_in(info.splits, split)
        if named is None:
            raise ValueError(
                f"data set {info.full_name} has no split {split!r}; it has {sorted(info.splits)}"
            )
        self._records, self._is_copied = found.records(named, cache), cache is not None
        self._frames = "frames" if "frames" in info.features else "image"
        self._is_flow, self._pairs = X in info.features, pairs
        self.channels = 2 * pairs if self._is_flow else COLOURS
        self._name = next((name for name in _NAMES if name in info.features), "")
        self._prefix = f"{directory}:{split}"
        self.classes, self.multi_label = info.classes, info.multi_label
        if self._first_label() == -1:
            raise ValueError(f"split {split!r} of {info.full_name} has no labels")
        self.manifest_digest = info.full_name if info.manifest is None else info.manifest
        self.broken: Sequence[Mapping[str, str]] = [
            row for row in info.broken if row["split"] == split
        ]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        """One video; of a damaged one whoever asks for its frames gets the error.

        Raises:
          ReplacedError: a file of another data set or split has taken the place of one of its own.
        """
        try:
            return self._read(int(index))
        except ReplacedError:
            raise
        except DamagedError as error:
            return self._damaged(int(index), error)

    @property
    def shard_lengths(self) -> tuple[int, ...]:
        """How many videos each shard holds, in their order."""
        return self._records.lengths

    def fits(self, shards: int = 0) -> bool:
        """Whether so many shards, or all, can be on this machine at once."""
        return self._records.fits(shards)

    def names(self) -> list[str]:
        """Name of each video; as for `labels`, no record is read where the table has them."""
        listed = [name for name, _ in self._contents]
        if len(listed) != len(self):
            listed = [self[index].name for index in range(len(self))]
        return listed

    def expect(self, index: int) -> None:
        """Tells that a video will be asked for soon: a shard that is far away is copied ahead."""
        self._records.expect(index)

    def labels(self) -> np.ndarray:
        """Class index of each video, int `[N]`; -1 where a damaged one does not tell.

        They are in a table beside the data. Of data sets that are older than the table all records
        are read.
        """
        listed = [label for _, label in self._contents]
        if len(listed) != len(self):
            listed = [self[index].label for index in range(len(self))]
        return np.array(listed, np.int64)

    def _read(self, index: int) -> Record:
        content = self._records[index]
        with telling_damage(self._folder, f"record {index} of split {self._split!r}"):
            example = Example(content)
            facts: dict[str, Any] = {
                "label": self._label(example),
                "name": example.text(self._name) if self._name else str(index),
                "fps": example.real("fps", otherwise=1.0),
            }
            if not self._is_flow:
                return Record(example.texts(self._frames), **facts)
            both = zip(example.texts(X), example.texts(Y), strict=True)
            return FlowRecord([each for pair in both for each in pair], **facts, pairs=self._pairs)

    def _label(self, example: Example) -> Label:
        found = example.wholes("labels") if self.multi_label else (example.whole("label"),)
        for place in found:
            if place >= len(self.classes) or (place < 0 and self.multi_label):
                raise ValueError(f"label {place} of {len(self.classes)} classes")
        return tuple(sorted(found)) if self.multi_label else found[0]

    def _first_label(self) -> Label:
        """The label of the first record that can be read.

        Raises:
          DamagedError: none of the first ones can.
        """
        # A whole shard would be copied for it.
        if self._is_copied and self._contents:
            return self._contents[0][1]
        for index in range(min(_TRIES, len(self))):
            try:
                return self._read(index).label
            except ReplacedError:
                raise
            except DamagedError as error:
                damage = error
        if len(self):
            raise damage
        return 0

    def _damaged(self, index: int, error: DamagedError) -> Record:
        listed = self._contents
        name = f"record {index} of split {self._split!r}"
        label: Label = () if self.multi_label else -1
        if index < len(listed):
            name, label = listed[index]
        return Record(_Unreadable(f"{name} cannot be read: {error}"), label, name, 1.0)

    @functools.cached_property
    def _contents(self) -> Sequence[tuple[str, Label]]:
        several = self.multi_label
        return read_contents(self._folder, self._split, self.classes, multi_label=several)

    def __repr__(self) -> str:
        """Names the content, not the object: grain compares it when a run resumes."""
        return f"PreparedSplit({self._prefix})"


class _Unreadable(Sequence[bytes]):
    """Frames that cannot be read: whoever counts them or takes one is told why."""

    def __init__(self, error: str) -> None:
        self._error = error

    def __len__(self) -> int:
        raise ValueError(self._error)

    def __getitem__(self, index: Any) -> Any:
        raise ValueError(self._error)


def _name_in(splits: Collection[str], split: str) -> str | None:
    names = (split, "validation") if split == "val" else (split,)
    return next((name for name in names if name in splits), None)

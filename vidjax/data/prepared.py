"""Reads prepared data sets: random access to videos whose frames or flow are stored as JPEG."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vidjax.data.dataset_errors import DamagedError, ReplacedError, damage_errors
from vidjax.data.integrity import open_data_set
from vidjax.data.optical_flow import X, Y
from vidjax.data.record import FlowRecord, Record
from vidjax.data.record_index import read_record_index
from vidjax.data.targets import Label
from vidjax.data.tf_example import Example
from vidjax.data.transforms import COLOURS
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.shard_cache import ShardCache, shard_cache

# Optional attributes of a `VideoSource`. `shard_lengths`: number of videos in each shard, in order.
# `expect(index)`: prefetches the shard of a video that is needed soon. `fits(shards)`: whether this
# machine has room for that many shards at once; 0 means all. `names()`: names of all videos.
# `channels`: channels of a frame, if they are not three colours.
OF_SOME_SPLITS = ("shard_lengths", "expect", "fits", "names", "channels")
# Features with the name of a video, or of an image in TFDS's own data sets.
_NAMES = ("video", "file_name", "id")
# Unreadable records after which the whole split counts as damaged.
_TRIES = 100


class VideoSource(Protocol):
    """A split of a data set: random access to its videos.

    Attributes:
      classes: class names in the order of their indices.
      manifest_digest: digest of the list of videos.
      broken: unreadable videos, as rows with `video`, `label` and `error`.
      multi_label: whether a video may have several labels; a source without it has one label.
    """

    classes: tuple[str, ...]
    manifest_digest: str
    broken: Sequence[Mapping[str, str]]
    multi_label: bool

    def __len__(self) -> int:
        """Returns the number of videos."""
        ...

    def __getitem__(self, index: int) -> Record:
        """Returns one video."""
        ...

    def labels(self) -> np.ndarray:
        """Returns the class index of each video, int `[N]`; -1 if a damaged one has none."""
        ...


def channels_of(source: VideoSource) -> int:
    """Returns the channels of a frame: 3 colours, or 2 L for a stack of L flow fields."""
    return getattr(source, "channels", COLOURS)


def names_of(source: VideoSource) -> list[str]:
    """Returns the name of each video of a split, in order."""
    names = getattr(source, "names", None)
    return list(names()) if names else [source[index].name for index in range(len(source))]


class PreparedSplit:
    """A split of a prepared data set as a random-access source of `Record`s.

    The images of TFDS's own data sets are read as videos of one frame, at one frame per second.

    Args:
      directory: folder of the prepared data set, with `dataset_info.json`.
      split: name of the split, such as `train`; `val` also finds TFDS's `validation`.
      cache: local cache of shards. None uses `shard_cache()` for a data set in a bucket, and no
        cache for one on a disk.
      in_place: do not cache even a data set in a bucket. ArrayRecord then reads `gs://` directly,
        with one request per video in every epoch.
      pairs: number L of successive flow fields stacked at each time step, for a data set of flow.

    Attributes:
      channels: channels of a frame: 3 colours, or 2 L of flow.

    Raises:
      ValueError: there is no prepared data set, it is damaged, it has no such split, the split has
        no labels, or the cache is limited to less than the size of one shard.
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
        """Returns one video. If its record is damaged, reading its frames raises the error.

        Raises:
          ReplacedError: a file was replaced by one of another data set or split.
        """
        try:
            return self._read(int(index))
        except ReplacedError:
            raise
        except DamagedError as error:
            return self._damaged(int(index), error)

    @property
    def shard_lengths(self) -> tuple[int, ...]:
        """The number of videos in each shard, in order."""
        return self._records.lengths

    def fits(self, shards: int = 0) -> bool:
        """Returns whether this machine has room for `shards` shards at once; 0 means all."""
        return self._records.fits(shards)

    def names(self) -> list[str]:
        """Returns the name of each video, from the index beside the data if possible."""
        listed = [name for name, _ in self._contents]
        if len(listed) != len(self):
            listed = [self[index].name for index in range(len(self))]
        return listed

    def expect(self, index: int) -> None:
        """Prefetches the shard of a video that is needed soon, if the data set is remote."""
        self._records.expect(index)

    def labels(self) -> np.ndarray:
        """Returns the class index of each video, int `[N]`; -1 if a damaged one has none.

        They come from the index beside the data. Old data sets have no index, so all records are
        read.
        """
        listed = [label for _, label in self._contents]
        if len(listed) != len(self):
            listed = [self[index].label for index in range(len(self))]
        return np.array(listed, np.int64)

    def _read(self, index: int) -> Record:
        content = self._records[index]
        with damage_errors(self._folder, f"record {index} of split {self._split!r}"):
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
                raise ValueError(f"class index {place}, but there are {len(self.classes)} classes")
        return tuple(sorted(found)) if self.multi_label else found[0]

    def _first_label(self) -> Label:
        """Returns the label of the first readable record.

        Raises:
          DamagedError: none of the first records is readable.
        """
        # Reading a record would copy a whole shard.
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
        return read_record_index(self._folder, self._split, self.classes, multi_label=several)

    def __repr__(self) -> str:
        """Describes the content, not the object: grain compares it when a run resumes."""
        return f"PreparedSplit({self._prefix})"


class _Unreadable(Sequence[bytes]):
    """Frames that cannot be read: their length and items raise the error."""

    def __init__(self, error: str) -> None:
        self._error = error

    def __len__(self) -> int:
        raise ValueError(self._error)

    def __getitem__(self, index: Any) -> Any:
        raise ValueError(self._error)


def _name_in(splits: Collection[str], split: str) -> str | None:
    names = (split, "validation") if split == "val" else (split,)
    return next((name for name in names if name in splits), None)

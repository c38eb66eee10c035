"""Evaluation views: every video once, in T clips by S crops, padded and masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grain
import numpy as np

from vidjax.data import transforms
from vidjax.data.expected_videos import Outlook
from vidjax.data.pipeline import LARGEST_SIZE, MOST_FRAMES, Batch, ClipShape
from vidjax.data.prepared import VideoSource, channels_of
from vidjax.data.record import Record
from vidjax.data.shard_prefetch import Ahead
from vidjax.data.targets import Targets
from vidjax.settings import check, one_of, optional, several, whole

CROPS = (1, 3, 10)
VIEWS = {
    "clips": whole(1, MOST_FRAMES),
    "frames": whole(0, MOST_FRAMES),
    "crops": one_of(*CROPS),
    "size": whole(1, LARGEST_SIZE),
    "short_side": whole(0, LARGEST_SIZE),
    "stretched": optional(several(whole(1, LARGEST_SIZE), 2)),
}


@dataclass(frozen=True)
class Views:
    """Which views of a video are scored.

    Attributes:
      clips: clips spread evenly over the video's time.
      crops: 1 (the centre), 3 (spread along the longer side), or 10 (the corners and the centre,
        and their mirror images).
      size: height and width of a crop in pixels.
      shape: frames, stride and sampling of a clip.
      short_side: that frames are resized to before, in pixels; 0 is `size`.
      stretched: height and width that they are resized to instead, their aspect not kept.
    """

    clips: int
    crops: int
    size: int
    shape: ClipShape
    short_side: int = 0
    stretched: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check(vars(self), VIEWS, "eval.")
        if self.short_side and self.short_side < self.size:
            raise ValueError(
                f"eval.short_side = {self.short_side} is less than eval.size = {self.size}, the "
                "crop that is cut; make it larger, or 0"
            )
        if self.stretched and min(self.stretched) < self.size:
            raise ValueError(
                f"eval.stretched = {self.stretched} is less than eval.size = {self.size}, the "
                "crop that is cut; make it larger, or None"
            )

    @property
    def mirrors(self) -> bool:
        """Whether some crops are mirror images."""
        return self.crops == 10

    def cut(self, record: Record, clip: int) -> np.ndarray:
        """The crops of clip number `clip`, uint8 `[crops, T, size, size, 3]`, or `2 L` of flow."""
        indices = self.shape.view_indices(record.length, self.clips)[clip]
        # One by one: stored frames may be many times as large as the crops.
        return self.crops_of(record.decode(indices, self.resized))

    def cut_frames(self, frames: np.ndarray, clip: int) -> np.ndarray:
        """The same of a video's frames uint8 `[N, H, W, 3]`."""
        indices = self.shape.view_indices(len(frames), self.clips)[clip]
        picked = self.resized(frames[np.maximum(indices, 0)])
        return self.crops_of(np.where((indices < 0)[:, None, None, None], np.uint8(0), picked))

    def crops_of(self, frames: np.ndarray) -> np.ndarray:
        """The crops of a clip's resized frames uint8 `[T, H, W, 3]`."""
        crops = [transforms.crop(frames, box) for box in self._boxes(frames)]
        return np.stack(crops + [transforms.flip(crop) for crop in crops if self.mirrors])

    def distinct(self, record: Record) -> tuple[int, int]:
        """How many of the clips and of the crops differ from one another for this video."""
        first = record.decode(np.zeros(1, np.int64))
        return self.distinct_of(record.length, *first.shape[1:3])

    def distinct_of(self, frames: int, height: int, width: int) -> tuple[int, int]:
        """The same for a video of so many frames of a height and width in pixels."""
        indices = self.shape.view_indices(frames, self.clips)
        boxes = self._boxes(self.resized(np.zeros((1, height, width, 3), np.uint8)))
        return len(np.unique(indices, axis=0)), len(set(boxes)) * (2 if self.mirrors else 1)

    def resized(self, frames: np.ndarray) -> np.ndarray:
        """Frames uint8 `[T, H, W, 3]` in the size that crops are cut from."""
        if self.stretched:
            return transforms.resize(frames, self.stretched)
        side = self.short_side or self.size
        return transforms.resize_short_side(frames, side, upscale=True)

    def window(self, height: int, width: int) -> tuple[float, float, float, float]:
        """What the first crop shows of frames of a height and width.

        Returns:
          Top, left, height and width in their pixels, before they are resized.
        """
        whole = (0, 0, height, width)
        top, left, tall, wide = whole if self.stretched else transforms.strip(height, width)
        sized = self.resized(np.zeros((1, height, width, 3), np.uint8))
        box, *_ = self._boxes(sized)
        down, across = tall / sized.shape[1], wide / sized.shape[2]
        return top + box[0] * down, left + box[1] * across, box[2] * down, box[3] * across

    def _boxes(self, frames: np.ndarray) -> list[transforms.Box]:
        return transforms.spatial_views(frames, self.size, 5 if self.mirrors else self.crops)


class _ViewSource:
    """Random access over (video, clip) pairs, padded at the end to whole batches."""

    def __init__(self, source: VideoSource, views: Views, length: int) -> None:
        self._source = source
        self._views = views
        self._length = length
        self._targets = Targets.of(source)
        self._ahead = Ahead(source)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"views of {self._source!r}"

    def __getitem__(self, index: int) -> Batch:
        video, clip = divmod(int(index), self._views.clips)
        if video >= len(self._source):
            return self._padding()
        self._ahead.after(video)
        record = self._source[video]
        return {
            "clip": self._views.cut(record, clip),
            "label": self._targets.array(record.label),
            "video": np.int32(video),
            "mask": np.bool_(True),
        }

    def _padding(self) -> Batch:
        views = self._views
        side = views.size
        shape = (views.crops, views.shape.frames, side, side, channels_of(self._source))
        return {
            "clip": np.zeros(shape, np.uint8),
            "label": self._targets.nothing(),
            "video": np.int32(0),
            "mask": np.bool_(False),
        }


def view_batches(
    source: VideoSource,
    views: Views,
    *,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.MapDataset:
    """This process' part of the evaluation batches, each video exactly once.

    An element holds `clip` uint8 `[B/P, crops, T, S, S, 3]`, and `label`, `video` (index into
    `source`) and `mask` (False for padding), each `[B/P]`; `label` is float32 `[B/P, C]` where a
    video may have several.

    Args:
      source: the videos.
      views: how each is seen.
      batch_size: clips B of all processes together; each brings all of its crops.
      process_index: which process this is.
      process_count: number P of processes.

    Raises:
      ValueError: the processes do not divide the batch.
    """
    if batch_size % process_count:
        raise ValueError(f"eval.batch_size {batch_size} is not divisible by {process_count}")
    clips = len(source) * views.clips
    padded = -(-clips // batch_size) * batch_size
    items = grain.MapDataset.source(_ViewSource(source, views, padded))
    return items.batch(batch_size // process_count)[process_index::process_count]


def refuse_coinciding(source: VideoSource, views: Views, looks: int = 64) -> None:
    """Refuses views of which some are the same pixels for every video.

    Args:
      source: the videos; at most `looks` of them, evenly spread, are looked at.
      views: the protocol.
      looks: how many videos to open.

    Raises:
      ValueError: no looked-at video has as many different clips, or crops, as are asked for.
    """
    chosen = np.unique(np.linspace(0, len(source) - 1, min(looks, len(source))).astype(int))
    _refuse_fewer([views.distinct(source[index]) for index in chosen], views)


def refuse_hopeless(outlooks: Sequence[Outlook], views: Views) -> None:
    """Refuses views that would coincide for every one of some videos that are not decoded yet.

    Args:
      outlooks: what they will be; none is nothing to judge by.
      views: the protocol.

    Raises:
      ValueError: as `refuse_coinciding`.
    """
    if outlooks:
        counts = [views.distinct_of(each.frames, each.height, each.width) for each in outlooks]
        _refuse_fewer(counts, views)


def _refuse_fewer(counts: Sequence[tuple[int, int]], views: Views) -> None:
    """Refuses where no video has as many different clips, or crops, as are asked for."""
    clips, crops = np.array(counts).max(axis=0)
    if clips < views.clips:
        raise ValueError(
            f"eval.clips = {views.clips}, but even the longest of {len(counts)} videos looked at "
            f"has only {clips} different clips of {views.shape.frames} frames with stride "
            f"{views.shape.stride} and {views.shape.sampling} sampling; ask for {clips}"
        )
    if crops < views.crops:
        raise ValueError(
            f"eval.crops = {views.crops}, but the crops coincide: the frames are square, or too "
            f"narrow, at size {views.size}; ask for 1 crop, a smaller eval.size or a larger "
            "eval.short_side"
        )

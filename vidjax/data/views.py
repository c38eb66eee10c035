"""Evaluation views: each video exactly once, as clips by crops, with masked padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import grain
import numpy as np

from vidjax.data import transforms
from vidjax.data.expected_videos import ExpectedVideo
from vidjax.data.pipeline import LARGEST_SIZE, MOST_FRAMES, Batch, ClipShape
from vidjax.data.prepared import VideoSource, channels_of
from vidjax.data.record import Record
from vidjax.data.shard_prefetch import ShardPrefetcher
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
    """The evaluation protocol: which views of a video are scored.

    >>> views = Views(clips=10, crops=3, size=64, shape=ClipShape(frames=16, stride=2))
    >>> views.distinct_of(frames=90, height=64, width=96)
    (10, 3)

    Attributes:
      clips: number of clips, spread evenly over the video.
      crops: 1 (centre), 3 (spread along the longer side), or 10 (corners and centre, and their
        mirror images).
      size: height and width of a crop in pixels.
      shape: frames, stride and sampling of a clip.
      short_side: short side in pixels that frames are resized to before cropping; 0 is `size`.
      stretched: height and width that frames are resized to instead, without keeping the aspect.
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
                f"eval.short_side = {self.short_side} is less than the crop size eval.size = "
                f"{self.size}; raise it, or set it to 0"
            )
        if self.stretched and min(self.stretched) < self.size:
            raise ValueError(
                f"eval.stretched = {self.stretched} is less than the crop size eval.size = "
                f"{self.size}; raise it, or set it to None"
            )

    @property
    def mirrors(self) -> bool:
        """Whether mirror images of the crops are scored, too."""
        return self.crops == 10

    def cut(self, record: Record, clip: int) -> np.ndarray:
        """Cuts the crops of clip number `clip`, uint8 `[crops, T, size, size, 3]` (flow: `2 L`)."""
        indices = self.shape.view_indices(record.length, self.clips)[clip]
        # Frame by frame, since stored frames may be much larger than the crops.
        return self.crops_of(record.decode(indices, self.resized))

    def cut_frames(self, frames: np.ndarray, clip: int) -> np.ndarray:
        """Like `cut`, from a video's frames uint8 `[N, H, W, 3]`."""
        indices = self.shape.view_indices(len(frames), self.clips)[clip]
        picked = self.resized(frames[np.maximum(indices, 0)])
        return self.crops_of(np.where((indices < 0)[:, None, None, None], np.uint8(0), picked))

    def crops_of(self, frames: np.ndarray) -> np.ndarray:
        """Cuts the crops of a clip's resized frames uint8 `[T, H, W, 3]`."""
        crops = [transforms.crop(frames, box) for box in self._boxes(frames)]
        return np.stack(crops + [transforms.flip(crop) for crop in crops if self.mirrors])

    def distinct(self, record: Record) -> tuple[int, int]:
        """Counts the distinct clips and the distinct crops of a video."""
        first = record.decode(np.zeros(1, np.int64))
        return self.distinct_of(record.length, *first.shape[1:3])

    def distinct_of(self, frames: int, height: int, width: int) -> tuple[int, int]:
        """Like `distinct`, for a video with `frames` frames of `height` by `width` pixels."""
        indices = self.shape.view_indices(frames, self.clips)
        boxes = self._boxes(self.resized(np.zeros((1, height, width, 3), np.uint8)))
        return len(np.unique(indices, axis=0)), len(set(boxes)) * (2 if self.mirrors else 1)

    def resized(self, frames: np.ndarray) -> np.ndarray:
        """Resizes frames uint8 `[T, H, W, 3]` to the size that crops are cut from."""
        if self.stretched:
            return transforms.resize(frames, self.stretched)
        side = self.short_side or self.size
        return transforms.resize_short_side(frames, side, upscale=True)

    def window(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Returns the part of a frame that the first crop shows.

        Returns:
          Top, left, height and width in pixels of the frame before resizing.
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
    """Random access to (video, clip) pairs, padded at the end to full batches."""

    def __init__(self, source: VideoSource, views: Views, length: int) -> None:
        self._source = source
        self._views = views
        self._length = length
        self._targets = Targets.of(source)
        self._prefetcher = ShardPrefetcher(source)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"views of {self._source!r}"

    def __getitem__(self, index: int) -> Batch:
        video, clip = divmod(int(index), self._views.clips)
        if video >= len(self._source):
            return self._padding()
        self._prefetcher.reading(video)
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
    """Returns this process' part of the evaluation batches, with each video exactly once.

    An element holds `clip` uint8 `[B/P, crops, T, S, S, 3]`, and `label`, `video` (index into
    `source`) and `mask` (False for padding), each `[B/P]`. For a multi-label source, `label` is
    float32 `[B/P, C]`.

    Args:
      source: the videos.
      views: the evaluation protocol.
      batch_size: number B of clips of all processes together, each with all of its crops.
      process_index: index of this process.
      process_count: number P of processes.

    Raises:
      ValueError: the batch size is not divisible by the number of processes.
    """
    if batch_size % process_count:
        raise ValueError(f"eval.batch_size {batch_size} is not divisible by {process_count}")
    clips = len(source) * views.clips
    padded = -(-clips // batch_size) * batch_size
    items = grain.MapDataset.source(_ViewSource(source, views, padded))
    return items.batch(batch_size // process_count)[process_index::process_count]


def refuse_coinciding(source: VideoSource, views: Views, samples: int = 64) -> None:
    """Refuses a protocol with views that have the same pixels for every video.

    Args:
      source: the videos.
      views: the evaluation protocol.
      samples: number of videos to check, evenly spaced.

    Raises:
      ValueError: none of these videos has as many distinct clips, or crops, as the protocol.
    """
    chosen = np.unique(np.linspace(0, len(source) - 1, min(samples, len(source))).astype(int))
    # Often the first video has enough, and no other is read.
    _refuse_fewer((views.distinct(source[index]) for index in chosen), views)


def refuse_coinciding_expected(expected: Sequence[ExpectedVideo], views: Views) -> None:
    """Like `refuse_coinciding`, for videos that are not decoded yet.

    Args:
      expected: expected frames and size of some videos; if empty, nothing is checked.
      views: the evaluation protocol.

    Raises:
      ValueError: like `refuse_coinciding`.
    """
    if expected:
        _refuse_fewer(
            (views.distinct_of(each.frames, each.height, each.width) for each in expected), views
        )


def _refuse_fewer(counts: Iterable[tuple[int, int]], views: Views) -> None:
    """Raises an error if no video has as many distinct clips, or crops, as the protocol."""
    clips = crops = looked = 0
    for distinct_clips, distinct_crops in counts:
        clips, crops, looked = max(clips, distinct_clips), max(crops, distinct_crops), looked + 1
        if clips >= views.clips and crops >= views.crops:
            return
    if clips < views.clips:
        raise ValueError(
            f"eval.clips = {views.clips}, but even the longest of {looked} checked videos has "
            f"only {clips} different clips of {views.shape.frames} frames with stride "
            f"{views.shape.stride} and {views.shape.sampling} sampling; set eval.clips = {clips}"
        )
    if crops < views.crops:
        raise ValueError(
            f"eval.crops = {views.crops}, but the crops coincide: the frames are square, or too "
            f"narrow, at size {views.size}; set eval.crops = 1, a smaller eval.size or a larger "
            "eval.short_side"
        )

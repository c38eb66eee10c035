"""Batches of clips from a prepared split: deterministic, resumable, sharded by process.

Batch number k depends on (seed, k) alone. Shuffling is an index permutation drawn anew for each
epoch, and every clip's randomness comes from its position in that order, so that nothing needs
replaying after a restart, whatever the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grain
import numpy as np

from vidjax.data import sampling, transforms
from vidjax.data.prepared import Record, VideoSource

Batch = dict[str, Any]
SAMPLINGS = ("dense", "normal_start", "segments", "still")


@dataclass(frozen=True)
class ClipShape:
    """What a clip is.

    Attributes:
      frames: number of frames T.
      stride: distance of neighbouring frames in the stored video.
      size: height and width in pixels.
      short: policy for videos with too few frames: `loop`, `hold` or `pad`.
      sampling: `dense` (T frames a stride apart), `normal_start` (the same, in training from a
        start around a quarter of the video), `segments` (one of each of T equal parts), or
        `still` (one frame held T times, for measuring what a single frame tells).
    """

    frames: int = 16
    stride: int = 2
    size: int = 112
    short: str = "loop"
    sampling: str = "dense"

    def __post_init__(self) -> None:
        for name in ("frames", "stride", "size"):
            if getattr(self, name) < 1:
                raise ValueError(f"clip.{name} = {getattr(self, name)}: must be at least 1")
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"clip.sampling = {self.sampling!r}: one of {', '.join(SAMPLINGS)}")
        if self.short not in ("loop", "hold", "pad"):
            raise ValueError(f"clip.short = {self.short!r}: loop, hold or pad")

    def train_indices(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        """Frame indices [T] of a training clip."""
        if self.sampling == "still":
            return np.full(self.frames, rng.integers(num_frames))
        if self.sampling == "segments":
            return sampling.segment_clip(rng, num_frames, self.frames)
        draw = sampling.random_clip
        if self.sampling == "normal_start":
            draw = sampling.normal_start_clip
        return draw(rng, num_frames, self.frames, self.stride, self.short)

    def view_indices(self, num_frames: int, views: int) -> np.ndarray:
        """Frame indices [views, T] of the evaluation clips of one video."""
        if self.sampling == "still":
            middle = sampling.view_clips(num_frames, 1, 1, views, self.short)
            return np.repeat(middle, self.frames, axis=1)
        if self.sampling == "segments":
            return np.tile(sampling.segment_clip(None, num_frames, self.frames), (views, 1))
        return sampling.view_clips(num_frames, self.frames, self.stride, views, self.short)


@dataclass(frozen=True)
class Augmentation:
    """What training may change of a clip; one draw holds for all its frames.

    Attributes:
      scale: range of the crop's share of the frame's area.
      ratio: range of the crop's width over its height.
      flip: probability of mirroring left and right; 0 where labels tell left from right.
      color: strength of brightness, contrast and saturation changes; 0 leaves colours alone.
    """

    scale: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (0.75, 1.3333333)
    flip: float = 0.5
    color: float = 0.0

    def __call__(self, rng: np.random.Generator, frames: np.ndarray, size: int) -> np.ndarray:
        """Augments uint8 frames `[T, H, W, 3]` to `[T, size, size, 3]`."""
        height, width = frames.shape[1:3]
        box = transforms.random_resized_crop_box(rng, height, width, self.scale, self.ratio)
        flip = rng.random() < self.flip
        frames = transforms.resize(transforms.crop(frames, box), (size, size))
        frames = transforms.flip(frames) if flip else frames
        return transforms.color_jitter(rng, frames, self.color) if self.color else frames


class TrainClip(grain.transforms.RandomMap):
    """Record -> one augmented clip; a clip whose frames cannot be decoded is masked, not lost."""

    def __init__(self, shape: ClipShape, augmentation: Augmentation) -> None:
        self._shape = shape
        self._augmentation = augmentation

    def random_map(self, record: Record, rng: np.random.Generator) -> Batch:
        """Cuts and augments a clip of the record."""
        size = self._shape.size
        try:
            indices = self._shape.train_indices(rng, len(record.jpegs))
            clip = self._augmentation(rng, record.decode(indices), size)
            readable = True
        except ValueError:
            clip = np.zeros((self._shape.frames, size, size, 3), np.uint8)
            readable = False
        return {
            "clip": np.ascontiguousarray(clip),
            "label": np.int32(record.label),
            "mask": np.bool_(readable),
        }


def train_batches(
    source: VideoSource,
    shape: ClipShape,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.MapDataset:
    """This process' part of the endless sequence of training batches.

    Element k of the result is batch k: `clip` uint8 `[B/P, T, S, S, 3]`, `label` int32 `[B/P]`
    and `mask` bool `[B/P]`, False where a video could not be read. Over the P processes the
    batches k together hold the same clips for every P.

    Raises:
      ValueError: the split is empty or the processes do not divide the batch.
    """
    if len(source) == 0:
        raise ValueError(f"{source} holds no videos to train on")
    if batch_size % process_count:
        raise ValueError(f"batch size {batch_size} is not divisible by {process_count} processes")
    clips = (
        grain.MapDataset.source(source)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(TrainClip(shape, augmentation))
    )
    return clips[process_index::process_count].batch(batch_size // process_count)


def prefetch(batches: grain.MapDataset, threads: int) -> Any:
    """Iterator over `batches` that reads ahead; its `get_state()` is the next batch's number."""
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(2, 2 * threads))
    return iter(batches.to_iter_dataset(options))

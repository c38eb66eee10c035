"""Multigrid training batches: their shape follows a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import grain
import numpy as np

from vidjax.data.multigrid import GridSchedule, GridShape
from vidjax.data.pipeline import Augmentation, Batch, ClipShape, TrainClip
from vidjax.data.prepared import VideoSource, channels_of
from vidjax.data.targets import Targets
from vidjax.data.video_sampler import shuffled_records


@dataclass(frozen=True)
class _ReducedClipShape(ClipShape):
    """A clip with fewer frames than the base clip, over the same time span.

    Attributes:
      base: the base clip.
      time: how frames are chosen, as in `Multigrid`.
    """

    base: ClipShape = field(default_factory=ClipShape)
    time: str = "picks"

    def train_indices(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        if self.time == "picks" or self.base.sampling not in ("dense", "normal_start"):
            picks = np.arange(self.frames) * self.base.frames // self.frames
            return self.base.train_indices(rng, num_frames)[picks]
        widest = self.base.stride * self.base.frames // self.frames
        stride = int(rng.integers(self.base.stride, widest + 1))
        return replace(self.base, frames=self.frames, stride=stride).train_indices(rng, num_frames)


class _GridSource:
    """Random access to the batches of a run."""

    def __init__(
        self,
        clips: grain.MapDataset,
        schedule: GridSchedule,
        transforms: dict[GridShape, TrainClip],
        seed: int,
        processes: tuple[int, int],
    ) -> None:
        self._clips, self._schedule, self._transforms = clips, schedule, transforms
        self._seed, self._processes = seed, processes

    def __len__(self) -> int:
        return len(self._schedule)

    def __repr__(self) -> str:
        return f"{len(self)} batches of {len(self._schedule.shapes)} shapes of {self._clips!r}"

    def __getitem__(self, step: int) -> Batch:
        first, end = self._schedule.firsts[step : step + 2]
        index, count = self._processes
        transform = self._transforms[self._schedule.shape(step)]
        share = (end - first) // count
        clips = range(first + index * share, first + (index + 1) * share)
        rows = [self._row(transform, int(clip)) for clip in clips]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _row(self, transform: TrainClip, clip: int) -> Batch:
        return transform.random_map(self._clips[clip], np.random.default_rng((self._seed, clip)))


def grid_batches(
    source: VideoSource,
    shape: ClipShape,
    augmentation: Augmentation,
    schedule: GridSchedule,
    *,
    time: str,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
    sampling: str = "uniform",
    shards: int = 0,
) -> grain.MapDataset:
    """Returns this process' part of the batches of a run; element k has the shape of step k.

    Otherwise it is like `vidjax.data.pipeline.train_batches`: every epoch contains each video once,
    batch k depends only on (seed, k), and each process gets a block of rows.

    Args:
      source: the videos.
      shape: the base clip.
      augmentation: training augmentation.
      schedule: the shape of every step.
      time: how fewer frames are chosen, as in `Multigrid`.
      seed: seed of order, frame sampling and augmentation.
      process_index: index of this process.
      process_count: number of processes.
      sampling: as in `vidjax.data.video_sampler`.
      shards: as in `vidjax.data.video_sampler`. Since batch sizes differ, clips are taken from the
        shards in turn, and every process reads from every active shard.

    Raises:
      ValueError: the split is empty, a batch size is not divisible by the number of processes,
        fixed crops have no short side, or `shuffled_records` raises it.
    """
    if len(source) == 0:
        raise ValueError(f"{source} contains no videos to train on")
    for each in schedule.shapes:
        if each.batch % process_count:
            raise ValueError(f"a batch of {each} is not divisible by {process_count} processes")
    targets = Targets.of(source)

    def transform(each: GridShape) -> TrainClip:
        scaled = _scaled(augmentation, each.size / shape.size)
        return TrainClip(_reduced(shape, each, time), scaled, targets, channels_of(source))

    transforms = {each: transform(each) for each in schedule.shapes}
    clips = shuffled_records(source, seed, sampling, shards=shards, batch_size=max(shards, 1))
    processes = (process_index, process_count)
    return grain.MapDataset.source(_GridSource(clips, schedule, transforms, seed, processes))


def _reduced(base: ClipShape, shape: GridShape, time: str) -> ClipShape:
    if shape.frames == base.frames:
        return replace(base, size=shape.size)
    return _ReducedClipShape(frames=shape.frames, size=shape.size, base=base, time=time)


def _scaled(augmentation: Augmentation, scale: float) -> Augmentation:
    """Scales the short side of fixed crops, so that smaller clips show the same part of a frame."""
    if augmentation.crop != "fixed":
        return augmentation
    if not augmentation.short_side:
        raise ValueError(
            "augment.crop = 'fixed' with a multigrid needs augment.short_side, which is scaled "
            "with the clip size; set it to data.short_side"
        )
    return replace(augmentation, short_side=round(augmentation.short_side * scale))

"""Training batches whose shape changes from step to step, after a timetable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import grain
import numpy as np

from vidjax.data.multigrid import GridShape, Timetable
from vidjax.data.pipeline import Augmentation, Batch, ClipShape, TrainClip
from vidjax.data.prepared import VideoSource, channels_of
from vidjax.data.targets import Targets
from vidjax.data.video_sampler import ordered


@dataclass(frozen=True)
class _Thinned(ClipShape):
    """A clip of fewer frames than a base clip, over the same time.

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
    """Random access over the batches of a run."""

    def __init__(
        self,
        clips: grain.MapDataset,
        timetable: Timetable,
        transforms: dict[GridShape, TrainClip],
        seed: int,
        processes: tuple[int, int],
    ) -> None:
        self._clips, self._timetable, self._transforms = clips, timetable, transforms
        self._seed, self._processes = seed, processes

    def __len__(self) -> int:
        return len(self._timetable)

    def __repr__(self) -> str:
        return f"{len(self)} batches of {len(self._timetable.shapes)} shapes of {self._clips!r}"

    def __getitem__(self, step: int) -> Batch:
        first, end = self._timetable.firsts[step : step + 2]
        index, count = self._processes
        transform = self._transforms[self._timetable.shape(step)]
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
    timetable: Timetable,
    *,
    time: str,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
    sampling: str = "uniform",
    shards: int = 0,
) -> grain.MapDataset:
    """This process' part of the batches of a run; element k is batch k, in the shape of step k.

    As `vidjax.data.pipeline.train_batches` otherwise: every epoch has each video once, batch k
    depends on (seed, k) alone, and each process has a block of rows.

    Args:
      source: the videos.
      shape: the base clip.
      augmentation: what training may change of it.
      timetable: the shape of every step.
      time: how fewer frames are chosen, as in `Multigrid`.
      seed: of order, frames and augmentation.
      process_index: which process this is.
      process_count: number of processes.
      sampling: as in `vidjax.data.video_sampler`.
      shards: likewise. Batches differ in size, so that clips take turns and every process reads
        of every shard that is read at a time.

    Raises:
      ValueError: the split is empty, the processes do not divide a batch, fixed crops are of
        frames whose size is not stated, or as `ordered`.
    """
    if len(source) == 0:
        raise ValueError(f"{source} holds no videos to train on")
    for each in timetable.shapes:
        if each.batch % process_count:
            raise ValueError(f"a batch of {each} is not divisible by {process_count} processes")
    targets = Targets.of(source)

    def transform(each: GridShape) -> TrainClip:
        scaled = _scaled(augmentation, each.size / shape.size)
        return TrainClip(_thinned(shape, each, time), scaled, targets, channels_of(source))

    transforms = {each: transform(each) for each in timetable.shapes}
    clips = ordered(source, seed, sampling, shards=shards, batch_size=max(shards, 1))
    processes = (process_index, process_count)
    return grain.MapDataset.source(_GridSource(clips, timetable, transforms, seed, processes))


def _thinned(base: ClipShape, shape: GridShape, time: str) -> ClipShape:
    if shape.frames == base.frames:
        return replace(base, size=shape.size)
    return _Thinned(frames=shape.frames, size=shape.size, base=base, time=time)


def _scaled(augmentation: Augmentation, scale: float) -> Augmentation:
    """Fixed crops of smaller clips show as much of smaller frames as those of the base clip do."""
    if augmentation.crop != "fixed":
        return augmentation
    if not augmentation.short_side:
        raise ValueError(
            "augment.crop = 'fixed' with a multigrid needs augment.short_side, which is made "
            "smaller along with the clips; set it to data.short_side"
        )
    return replace(augmentation, short_side=round(augmentation.short_side * scale))

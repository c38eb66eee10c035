"""Multigrid training: alternates large batches of small clips and small batches of large clips.

A long cycle changes frames and size a few times per epoch, and a short cycle changes the size at
every step. The batch size compensates, so that b t h w stays B T H W (Wu et al. 2020; Stergiou,
thesis, section 4.4.1 and figure 4.6). An epoch then has a fraction of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.settings import check, one_of

# Frames and size as fractions of the base shape's, in the order of the cycle.
_HALF_AREA = 1 / math.sqrt(2)
_LONG = ((1 / 4, _HALF_AREA), (1 / 2, _HALF_AREA), (1 / 2, 1.0), (1.0, 1.0))
_SHORT = (1 / 2, _HALF_AREA, 1.0)
SETTINGS = {
    "cycle": one_of("none", "long", "short", "both"),
    "over": one_of("epoch", "stage"),
    "both": one_of("capped", "product"),
    "anchor": one_of("default", "largest"),
    "time": one_of("picks", "rate"),
}


@dataclass(frozen=True)
class Multigrid:
    """The settings of multigrid training.

    Attributes:
      cycle: which cycles to use: `none`, `long`, `short` or `both`.
      over: period of the long cycle, which spends a quarter of the steps at each of its four
        shapes: every `epoch` (thesis), or every `stage` of the learning rate between
        `schedule.boundaries`. After the last boundary the base shape stays (Wu et al.).
      both: how the two cycles combine. With `capped`, the sizes of the short cycle are fractions of
        the base size, limited to the size of the long cycle (Wu et al.). With `product`, they are
        fractions of the size of the long cycle.
      anchor: the batch size that the learning rate belongs to, `default` or `largest`. Along a long
        cycle the learning rate changes in proportion to the batch size.
      time: how a clip with fewer frames is sampled. With `picks`, frames are picked evenly from the
        base clip (thesis). With `rate`, the stride is drawn between the base stride and the stride
        that spans the base clip.
    """

    cycle: str = "none"
    over: str = "epoch"
    both: str = "capped"
    anchor: str = "default"
    time: str = "picks"

    def __post_init__(self) -> None:
        check(vars(self), SETTINGS, "multigrid.")

    @property
    def is_on(self) -> bool:
        """Whether multigrid training is on."""
        return self.cycle != "none"


@dataclass(frozen=True)
class GridShape:
    """Shape of a batch: clips over all devices, frames per clip, height and width in pixels."""

    batch: int
    frames: int
    size: int

    def __str__(self) -> str:
        """Formats the shape, such as `64x4x158x158`."""
        return f"{self.batch}x{self.frames}x{self.size}x{self.size}"


def cycles(grid: Multigrid, base: GridShape, unit: int = 1) -> list[list[GridShape]]:
    """Returns the shapes of each part of the long cycle, in the order of the short cycle.

    Sizes are rounded to even numbers and batch sizes to multiples of `unit`.

    >>> [str(part[0]) for part in cycles(Multigrid(cycle="long"), GridShape(8, 16, 224))]
    ['64x4x158x158', '32x8x158x158', '16x8x224x224', '8x16x224x224']

    Args:
      grid: the settings.
      base: the base shape. All shapes cost about as much computation.
      unit: batch sizes are multiples of it, for example the number of devices.
    """
    parts = _LONG if grid.cycle in ("long", "both") else _LONG[-1:]
    shares = _SHORT if grid.cycle in ("short", "both") else _SHORT[-1:]
    if grid.both == "product":
        pairs = [[(time, space * share) for share in shares] for time, space in parts]
    else:
        pairs = [[(time, min(space, share)) for share in shares] for time, space in parts]
    return [[_shape(base, *pair, unit) for pair in part] for part in pairs]


def _shape(base: GridShape, time: float, space: float, unit: int) -> GridShape:
    if (time, space) == (1.0, 1.0):
        return base
    clips = base.batch / (time * space**2)
    return GridShape(
        batch=max(1, round(clips / unit)) * unit,
        frames=max(1, round(base.frames * time)),
        size=max(2, 2 * round(base.size * space / 2)),
    )


def mean_batch(parts: Sequence[Sequence[GridShape]]) -> float:
    """Returns the mean batch size over a whole cycle, whose parts have equally many steps."""
    return float(np.mean([np.mean([shape.batch for shape in part]) for part in parts]))


@dataclass(frozen=True)
class GridSchedule:
    """The multigrid schedule of a run: the batch shape of every step.

    Attributes:
      shapes: the distinct shapes.
      index: index into `shapes` of each step, int `[steps]`.
      firsts: index of the first clip of each step, and the total number of clips, int
        `[steps + 1]`.
      rates: factor of the learning rate at each step, float `[steps]`.
    """

    shapes: tuple[GridShape, ...]
    index: np.ndarray
    firsts: np.ndarray
    rates: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def shape(self, step: int) -> GridShape:
        """Returns the shape of step number `step`, counted from 0."""
        return self.shapes[self.index[step]]


def grid_schedule(
    grid: Multigrid,
    base: GridShape,
    *,
    steps: int,
    steps_per_epoch: float,
    boundaries: Sequence[int] = (),
    unit: int = 1,
) -> GridSchedule:
    """Computes the multigrid schedule of a run.

    Args:
      grid: the settings.
      base: the base shape.
      steps: number of steps of the run.
      steps_per_epoch: number of videos divided by `mean_batch`.
      boundaries: steps at which the learning rate drops, ascending.
      unit: as in `cycles`.

    Raises:
      ValueError: `over` is `stage`, but there are no boundaries.
    """
    parts = cycles(grid, base, unit)
    part, short = _turns(grid, len(parts), steps, steps_per_epoch, boundaries)
    width = len(parts[0])
    flat = [shape for each in parts for shape in each]
    shapes = tuple(dict.fromkeys(flat))
    place = np.array([shapes.index(shape) for shape in flat])
    index = place[part * width + short]
    batches = np.array([shape.batch for shape in shapes])[index]
    largest = parts[0][-1].batch if grid.anchor == "largest" else base.batch
    longs = np.array([each[-1].batch for each in parts])[part]
    firsts = np.concatenate([[0], np.cumsum(batches, dtype=np.int64)])
    return GridSchedule(shapes, index, firsts, longs / largest)


def _turns(
    grid: Multigrid, parts: int, steps: int, steps_per_epoch: float, boundaries: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the part of the long cycle and of the short cycle at each step."""
    step = np.arange(steps)
    width = len(_SHORT) if grid.cycle in ("short", "both") else 1
    short = step % width
    if grid.over == "epoch" or parts == 1:
        return np.floor(step * parts / steps_per_epoch).astype(np.int64) % parts, short
    if not boundaries:
        raise ValueError(
            "multigrid.over = 'stage' needs a learning rate that drops in steps: set "
            "schedule.name = 'step' with schedule.boundaries, or multigrid.over = 'epoch'"
        )
    edges = np.array([0, *boundaries])
    stage = np.searchsorted(edges, step, side="right") - 1
    last = stage == len(boundaries)
    lengths = np.append(np.diff(edges), 1)
    part = np.floor((step - edges[stage]) * parts / lengths[stage]).astype(np.int64)
    return np.where(last, parts - 1, part), np.where(last, width - 1, short)

"""Describes a convolution by its shapes, strides, padding and dtype, which decide the algorithm."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

Triple = tuple[int, int, int]
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Problem:
    """The description of a convolution.

    Attributes:
      shape: shape of the input, `[B, T, H, W, C]`.
      kernel: shape of the kernel, `[kt, kh, kw, C / groups, O]`.
      strides: strides along T, H, W.
      pads: (before, after) pairs of zeros along T, H, W; negative numbers crop.
      groups: number of groups of channels, which are convolved separately.
      dtype: dtype of the input, the kernel and the result.
    """

    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: Triple
    pads: Pads
    groups: int = 1
    dtype: str = "float32"

    @property
    def size(self) -> Triple:
        """Size of the result along T, H, W."""
        time, height, width = (
            (self.shape[a + 1] + sum(self.pads[a]) - self.kernel[a]) // self.strides[a] + 1
            for a in range(3)
        )
        return time, height, width

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the result, `[B, T', H', W', O]`."""
        return self.shape[0], *self.size, self.outputs

    @property
    def positions(self) -> int:
        """Number of positions of the result: clips x frames x rows x columns."""
        return self.shape[0] * math.prod(self.size)

    @property
    def outputs(self) -> int:
        """Number of channels of the result."""
        return self.kernel[4]

    @property
    def strided(self) -> bool:
        """Whether a stride is not 1."""
        return self.strides != (1, 1, 1)

    @property
    def kind(self) -> str:
        """How channels are connected: `dense`, `channel-wise` or `grouped`."""
        if self.groups == 1:
            return "dense"
        single = self.kernel[3] == 1 and self.kernel[4] == self.groups
        return "channel-wise" if single else "grouped"

    @property
    def extent(self) -> str:
        """The axes in which the kernel has several taps: `point`, `time`, `space` or `cube`."""
        if self.kernel[1:3] == (1, 1):
            return "point" if self.kernel[0] == 1 else "time"
        return "space" if self.kernel[0] == 1 else "cube"

    def mirrored(self) -> Problem:
        """Returns the convolution that maps the result's gradient to the input's; strides are 1."""
        sizes = self.kernel[:3]
        sides = tuple(
            (sizes[a] - 1 - self.pads[a][0], sizes[a] - 1 - self.pads[a][1]) for a in range(3)
        )
        return dataclasses.replace(
            self,
            shape=(self.shape[0], *self.size, self.outputs),
            kernel=(*sizes, self.kernel[4], self.kernel[3]),
            pads=sides,
        )


def live_taps(problem: Problem) -> tuple[slice, slice, slice]:
    """Returns the taps along T, H, W that meet the input somewhere; the others meet only padding.

    Over a single frame, as deep in a network, a 3x3x3 kernel is in effect a 1x3x3 kernel.
    """
    time, height, width = (_live(problem, axis) for axis in range(3))
    return time, height, width


def _live(problem: Problem, axis: int) -> slice:
    length, stride = problem.shape[axis + 1], problem.strides[axis]
    count, before = problem.size[axis], problem.pads[axis][0]
    taps = [
        tap
        for tap in range(problem.kernel[axis])
        if any(0 <= place * stride + tap - before < length for place in range(count))
    ]
    return slice(taps[0], taps[-1] + 1) if taps else slice(0, problem.kernel[axis])


def without_dead_taps(problem: Problem, live: Sequence[slice]) -> Problem:
    """Returns the same convolution with only the live taps of its kernel."""
    pads = tuple(
        (pad[0] - taps.start, pad[1] - (size - taps.stop))
        for pad, taps, size in zip(problem.pads, live, problem.kernel, strict=False)
    )
    kernel = (*(taps.stop - taps.start for taps in live), *problem.kernel[3:])
    return dataclasses.replace(problem, kernel=kernel, pads=pads)

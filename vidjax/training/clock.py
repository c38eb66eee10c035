"""A run's clock: total time, speed since the last lap, and time spent waiting for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Lap:
    """Measurements since the last lap.

    Attributes:
      seconds: mean seconds per step.
      waiting: share of the time spent waiting for data.
      clips_per_second: training throughput.
      flops_per_second: FLOP/s of the network; a multiply-add counts as two.
    """

    seconds: float
    waiting: float
    clips_per_second: float
    flops_per_second: float


class Clock:
    """Measures the time of a run over all its starts.

    Args:
      seconds: time of the clock in the checkpoint that the run resumes from.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._origin = time.monotonic() - seconds
        self.restart_lap()

    @property
    def seconds(self) -> float:
        """Seconds of the run, earlier starts included."""
        return time.monotonic() - self._origin

    def restart_lap(self) -> None:
        """Starts a new lap, so that an evaluation or a save does not count as training time."""
        self._lap_start = time.monotonic()
        self._waited = 0.0
        self._steps = self._clips = self._multiply_adds = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside the context as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Does not count the time inside the context as time of the lap."""
        start = time.monotonic()
        yield
        self._lap_start += time.monotonic() - start

    def count(self, clips: int, multiply_adds: int) -> None:
        """Counts one step."""
        self._steps += 1
        self._clips += clips
        self._multiply_adds += multiply_adds

    def lap(self) -> Lap:
        """Returns the measurements since the lap began, and starts a new lap."""
        elapsed = max(time.monotonic() - self._lap_start, 1e-9)
        lap = Lap(
            elapsed / max(self._steps, 1),
            self._waited / elapsed,
            self._clips / elapsed,
            2 * self._multiply_adds / elapsed,
        )
        self.restart_lap()
        return lap

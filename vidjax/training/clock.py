"""The run's clock: time spent in all, speed since the last look, time spent waiting for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Lap:
    """What happened since the last look.

    Attributes:
      seconds: a step took on average.
      waiting: share of the time that was spent waiting for data.
      clips_per_second: that were trained on.
      flops_per_second: of the network's multiply-adds, two each.
    """

    seconds: float
    waiting: float
    clips_per_second: float
    flops_per_second: float


class Clock:
    """Measures a run over all its starts.

    Args:
      seconds: what the clock showed in the checkpoint that the run resumes from.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._origin = time.monotonic() - seconds
        self.restart_lap()

    @property
    def seconds(self) -> float:
        """Seconds of the run, earlier starts included."""
        return time.monotonic() - self._origin

    def restart_lap(self) -> None:
        """Starts a lap now, so that an evaluation or a save does not count as training time."""
        self._lap_start = time.monotonic()
        self._waited = 0.0
        self._steps = self._clips = self._multiply_adds = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def count(self, clips: int, multiply_adds: int) -> None:
        """Counts one step."""
        self._steps += 1
        self._clips += clips
        self._multiply_adds += multiply_adds

    def lap(self) -> Lap:
        """What happened since the lap's start; a new lap begins."""
        elapsed = max(time.monotonic() - self._lap_start, 1e-9)
        lap = Lap(
            elapsed / max(self._steps, 1),
            self._waited / elapsed,
            self._clips / elapsed,
            2 * self._multiply_adds / elapsed,
        )
        self.restart_lap()
        return lap

"""The run's clock: time spent in all, speed since the last look, time spent waiting for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


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
        self._steps = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for data, and one step."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start
        self._steps += 1

    def lap(self) -> tuple[float, float]:
        """Seconds a step since the lap's start, and the share of it spent waiting for data."""
        elapsed = max(time.monotonic() - self._lap_start, 1e-9)
        result = elapsed / max(self._steps, 1), self._waited / elapsed
        self.restart_lap()
        return result

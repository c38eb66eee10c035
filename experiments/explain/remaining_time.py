"""What is done of a long measurement, and how long the rest takes."""

from __future__ import annotations

import time

from vidjax.explain.map_types import Progress
from vidjax.progress import ProgressLine, duration


class Pace:
    """Says what is done, and how long the rest takes at the pace so far.

    Args:
      total: videos, each of every network.
      progress: where it is said.
    """

    def __init__(self, total: int, progress: ProgressLine) -> None:
        self._total, self._progress = total, progress
        self._past = self._worked = 0
        self._begun = time.monotonic()

    def of(self, what: str) -> Progress:
        """A `Progress` of one map."""

        def show(done: int, total: int) -> None:
            self._progress.show(f"{self._video} {what} {done}/{total}{self._left}")

        self._progress.show(f"{self._video} {what}{self._left}")
        return show

    def done(self, worked: bool) -> None:
        """One video more; `worked` where it was not measured before."""
        self._past, self._worked = self._past + 1, self._worked + worked
        if worked and self._past == self._total:
            self._progress.show(f"{self._past}/{self._total}", final=True)

    @property
    def _video(self) -> str:
        return f"{self._past + 1}/{self._total}"

    @property
    def _left(self) -> str:
        if not self._worked:
            return ""
        pace = (time.monotonic() - self._begun) / self._worked
        return f", about {duration(pace * (self._total - self._past))} left"

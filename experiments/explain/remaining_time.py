"""Shows the progress of a long measurement, and estimates the time left."""

from __future__ import annotations

from collections.abc import Callable

from vidjax.explain.map_types import Progress
from vidjax.progress import ProgressLine, TimeLeft


class RemainingTime:
    """Shows how many videos are done, and estimates how long the others take.

    Args:
      total: number of videos, counted once for each network.
      progress: the line that shows it.
    """

    def __init__(self, total: int, progress: ProgressLine) -> None:
        self._total, self._progress = total, progress
        self._past = 0
        self._left = TimeLeft(total)

    def of(self, what: str) -> Progress:
        """Returns a `Progress` that shows how far one map is."""

        def show(done: int, total: int) -> None:
            self._progress.show(f"{self._video} {what} {done}/{total}{self._left}")

        self._progress.show(f"{self._video} {what}{self._left}")
        return show

    def done(self, worked: bool) -> None:
        """Counts a video; `worked` is False if all its results were kept from before."""
        self._past += 1
        if not worked:
            self._left.skip()
            return
        self._left.update(self._past)
        if self._past == self._total:
            self._progress.show(f"{self._past}/{self._total}", final=True)

    @property
    def _video(self) -> str:
        return f"{self._past + 1}/{self._total}"


def passes_shown(progress: ProgressLine) -> Callable[[str, int, int], None]:
    """Returns a callback that shows how far a map is, and the time left."""
    left: dict[str, TimeLeft] = {}

    def told(title: str, done: int, total: int) -> None:
        # The first passes also compile the network, so the clock starts after them.
        own = left.setdefault(title, TimeLeft(total, done))
        own.update(done)
        progress.show(f"{title}: {done}/{total} passes{own}")

    return told

"""Logs what a run spends its time on: lines in `timing.jsonl`, a final sentence and a plot."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vidjax.records import RecordError
from vidjax.training import goodput, goodput_plot
from vidjax.training.phase_timer import PhaseTimer

# Seconds between two lines if nothing else logs one.
_EVERY = 30.0
Write = Callable[[int, str, Mapping[str, float]], None]


class GoodputLog:
    """Logs the time spent over all starts of a run.

    Args:
      timer: timer of this start.
      workdir: work directory of the run.
      write: adds a line with a step and a split to `timing.jsonl`.
      say: prints the final sentence, and errors in earlier lines.
      silent: log nothing; for all processes but one.
    """

    def __init__(
        self,
        timer: PhaseTimer,
        workdir: Path,
        write: Write,
        say: Callable[[str], None],
        *,
        silent: bool,
    ) -> None:
        self._timer, self._workdir, self._silent = timer, workdir, silent
        self._write, self._say = write, say
        self._logged = float("-inf")
        self._first: goodput.Spent | None = None
        self._before: list[goodput.Spent] = []
        if silent:
            return
        try:
            self._before = goodput.read_spent(workdir)
        # Damaged lines of earlier starts must not stop the run.
        except RecordError as error:
            say(f"time spent is reported for this start only: {error}")

    def log(self, step: int) -> None:
        """Logs the time that this start has spent until now, when `step` is done."""
        if not self._silent:
            self._log(step)

    def log_occasionally(self, step: int) -> None:
        """Logs the time, and the shares over all starts, unless it was logged recently."""
        if not self._silent and time.monotonic() - self._logged >= _EVERY:
            self._log_shares(self._log(step))

    def close(self, step: int) -> None:
        """Logs the time at the end of this start, prints the shares and draws the plot."""
        if self._silent:
            return
        found = self._log(step)
        self._log_shares(found)
        goodput_plot.draw(self._workdir / goodput_plot.FILE, found)
        self._say(goodput.sentence(found))

    def _log(self, step: int) -> list[goodput.Start]:
        seconds, began = self._timer.seconds(), self._timer.began
        spent = goodput.Spent(step, goodput.SPENT, began, **seconds)
        self._write(step, goodput.SPENT, {"began": began, **seconds})
        self._logged = time.monotonic()
        if self._first is None:
            self._first = spent
            # From here on it is known which of their steps this start repeats.
            self._earlier = goodput.starts([*self._before, spent])[:-1]
        return [*self._earlier, *goodput.starts([self._first, spent])]

    def _log_shares(self, found: list[goodput.Start]) -> None:
        self._write(found[-1].last, "goodput", goodput.shares(found))

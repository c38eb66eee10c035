"""The account of a run's time, kept while it trains: lines, the last sentence, a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vidjax.records import RecordError
from vidjax.training import goodput, goodput_plot
from vidjax.training.phase_timer import Spending

# Seconds between two lines where nothing else asks for one.
_EVERY = 30.0
Write = Callable[[int, str, Mapping[str, float]], None]


class Account:
    """Tells what the time went to, over all starts of a run.

    Args:
      spending: of this start.
      workdir: of the run.
      write: adds a line of a step and split to what a clock says.
      say: told the sentence, and what is wrong with earlier lines.
      silent: tells nothing, in a process beside the one that does.
    """

    def __init__(
        self,
        spending: Spending,
        workdir: Path,
        write: Write,
        say: Callable[[str], None],
        *,
        silent: bool,
    ) -> None:
        self._spending, self._workdir, self._silent = spending, workdir, silent
        self._write, self._say = write, say
        self._told = float("-inf")
        self._first: goodput.Spent | None = None
        self._before: list[goodput.Spent] = []
        if silent:
            return
        try:
            self._before = goodput.read_spent(workdir)
        # A run does not end because nobody knows what its earlier starts did.
        except RecordError as error:
            say(f"what the time went to is told of this start alone: {error}")

    def tell(self, step: int) -> None:
        """Adds what this start has spent until now, with `step` done."""
        if not self._silent:
            self._tell(step)

    def tell_now_and_then(self, step: int) -> None:
        """The same, if it was not told lately, with the shares of the time of all starts."""
        if not self._silent and time.monotonic() - self._told >= _EVERY:
            self._tell_shares(self._tell(step))

    def close(self, step: int) -> None:
        """The same at the end of this start, and in words and as a picture."""
        if self._silent:
            return
        found = self._tell(step)
        self._tell_shares(found)
        goodput_plot.draw(self._workdir / goodput_plot.FILE, found)
        self._say(goodput.sentence(found))

    def _tell(self, step: int) -> list[goodput.Start]:
        seconds, began = self._spending.seconds(), self._spending.began
        spent = goodput.Spent(step, goodput.SPENT, began, **seconds)
        self._write(step, goodput.SPENT, {"began": began, **seconds})
        self._told = time.monotonic()
        if self._first is None:
            self._first = spent
            # Which of their steps are done again is known from here on.
            self._earlier = goodput.starts([*self._before, spent])[:-1]
        return [*self._earlier, *goodput.starts([self._first, spent])]

    def _tell_shares(self, found: list[goodput.Start]) -> None:
        self._write(found[-1].last, "goodput", goodput.shares(found))

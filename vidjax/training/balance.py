"""Whether the input keeps up with the step: measured at the start of a run, said in one line."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import grain
import jax

from vidjax.data.pipeline import prefetch


def input_rate(batches: grain.MapDataset, threads: int, first: int, seconds: float = 1.0) -> float:
    """Clips a second of all processes that the input gives where nobody waits for it to be used.

    Args:
      batches: as a run reads them; what is read here is not taken from the run.
      threads: that decode.
      first: number of the batch to begin with.
      seconds: how long to look at most; one batch is looked at in any case.
    """
    reader = prefetch(batches[first:], threads)
    start, clips, looked = time.monotonic(), 0, 0
    for batch in reader:
        clips, looked = clips + len(batch["label"]), looked + 1
        # A few rounds of all threads, so that what they have begun does not count for much.
        if looked >= 8 * threads or time.monotonic() - start > seconds:
            break
    elapsed = max(time.monotonic() - start, 1e-9)
    reader.close()
    return clips * jax.process_count() / elapsed


class Balance:
    """Times the first steps of a run, then says how the input compares.

    Args:
      given: clips a second that the input gives.
      tell: called once, with the line and with both rates.
      steps: how many steps to wait for; the first is not counted.
    """

    def __init__(
        self, given: float, tell: Callable[[str, dict[str, float]], None], steps: int = 4
    ) -> None:
        self._given, self._tell, self._left = given, tell, steps
        self._rates: list[float] = []

    def begin(self) -> None:
        """The step's batch is there."""
        self._start = time.monotonic()

    def end(self, result: Any, clips: int) -> None:
        """The step is on its way to `result`, which is waited for in the first steps alone."""
        if not self._left:
            return
        jax.block_until_ready(result)
        self._rates.append(clips / max(time.monotonic() - self._start, 1e-9))
        self._left -= 1
        if not self._left:
            needed = statistics.median(self._rates[1:])
            numbers = {"input_clips_per_second": self._given, "step_clips_per_second": needed}
            self._tell(sentence(self._given, needed), numbers)


def sentence(given: float, needed: float) -> str:
    """Clips a second that the input gives and the step needs, compared in words."""
    text = f"input gives {given:.4g} clips/s, the step needs {needed:.4g}"
    if given < needed:
        return (
            f"{text}: the input is behind; more data.threads, a smaller data.short_side or "
            "augment.device=true may help"
        )
    return f"{text}: {given / needed:.2g} times as many"

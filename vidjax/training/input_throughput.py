"""Checks after the first steps of a run whether the input pipeline keeps up with them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import grain
import jax

from vidjax.data.pipeline import prefetch

STEPS = 4


def input_rate(batches: grain.MapDataset, threads: int, first: int, seconds: float = 0.3) -> float:
    """Measures how many clips per second the input pipeline delivers when the step takes no time.

    Args:
      batches: the run's batches. Reading here does not consume batches of the run.
      threads: number of decoding threads.
      first: number of the batch to start with.
      seconds: time limit of the measurement; at least one batch is read.

    Returns:
      Clips per second, over all processes.
    """
    reader = prefetch(batches[first:], threads)
    start, clips, looked = time.monotonic(), 0, 0
    for batch in reader:
        clips, looked = clips + len(batch["label"]), looked + 1
        # A few batches per thread, so that batches in progress matter little.
        if looked >= 8 * threads or time.monotonic() - start > seconds:
            break
    elapsed = max(time.monotonic() - start, 1e-9)
    reader.close()
    return clips * jax.process_count() / elapsed


class InputThroughput:
    """Times the first steps of a run and compares them with the input rate.

    Args:
      measure: measures the input rate, in clips per second. It is called after the timed steps.
      tell: called once with the line to print and with both rates.
      steps: number of steps to time; the first does not count.
    """

    def __init__(
        self,
        measure: Callable[[], float],
        tell: Callable[[str, dict[str, float]], None],
        steps: int = STEPS,
    ) -> None:
        self._measure, self._tell, self._left = measure, tell, steps
        self._rates: list[float] = []

    def begin(self) -> None:
        """Starts timing a step, when its batch is there."""
        self._start = time.monotonic()

    def end(self, result: Any, clips: int) -> None:
        """Ends timing a step. Only the first steps wait for `result`; later ones do not."""
        if not self._left:
            return
        jax.block_until_ready(result)
        self._rates.append(clips / max(time.monotonic() - self._start, 1e-9))
        self._left -= 1
        if not self._left:
            given, needed = self._measure(), statistics.median(self._rates[1:])
            numbers = {"input_clips_per_second": given, "step_clips_per_second": needed}
            self._tell(sentence(given, needed), numbers)


def sentence(given: float, needed: float) -> str:
    """Compares the clips per second of the input with those of the step, in words."""
    text = f"input delivers {_rate(given)} clips/s, the step needs {_rate(needed)}"
    if given < needed:
        return (
            f"{text}: the input is the bottleneck; more data.threads, a smaller data.short_side or "
            "augment.device=true may help"
        )
    return f"{text}: the input is {given / needed:.2g} times as fast"


def _rate(rate: float) -> str:
    """Writes a rate with three digits, and never with an exponent."""
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"

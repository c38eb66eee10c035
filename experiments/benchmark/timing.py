"""Times competitors in turns, so that noise of the machine affects all of them equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from vidjax.terminal import table

Work = Callable[[], object]


def all_times(peers: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Returns each competitor's milliseconds in each round; an extra first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(rounds + 1):
        for name, work in peers.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def time_in_turns(peers: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Returns the medians of `all_times`."""
    return {name: statistics.median(each) for name, each in all_times(peers, rounds).items()}


def half_spread(values: Sequence[float]) -> float | None:
    """Returns half of the interquartile range; None for fewer than three values."""
    if len(values) < 3:
        return None
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Prints a table; all columns but the first are numbers."""
    table(title, columns, rows, width=120)

"""Compares the algorithms that the table in use chooses with times from another measurement."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from vidjax.layers.convolution.choice import choose, problem_of_row
from vidjax.terminal import say

from .timing import print_table

# Times up to this multiple of the best are within the noise of a measurement.
_CLOSE = 1.1
_SHOWN = 20


def slowdown(row: Mapping[str, str]) -> tuple[str, float]:
    """Returns the algorithm that the table in use chooses for a row's convolution, and its time.

    Args:
      row: row of a table: a pass of a convolution, with the times of its algorithms.

    Returns:
      The algorithm, and its time as a multiple of the best one's; infinity if it was not timed.
    """
    pairs = (each.split(":") for each in row["others"].split())
    times = {row["algorithm"]: float(row["ms"]), **{name: float(ms) for name, ms in pairs}}
    chosen = choose(row["pass"], problem_of_row(row), row["backend"])
    return chosen, times.get(chosen, float("inf")) / min(times.values())


def print_check(rows: Sequence[Mapping[str, str]]) -> None:
    """Prints how many choices are within 10 % of the best, and the worst ones."""
    judged = sorted(((*slowdown(row), row) for row in rows), key=lambda each: -each[1])
    close = sum(times <= _CLOSE for _, times, _ in judged)
    columns = ("clip", "kernel", "strides", "outputs", "groups", "pass")
    shown = [
        (*(row[column] for column in columns), chosen, row["algorithm"], row["ms"], f"{times:.2f}")
        for chosen, times, row in judged[:_SHOWN]
        if times > _CLOSE
    ]
    if shown:
        title = "Choices that take more than 1.1 times as long as the best"
        print_table(title, (*columns, "chosen", "best", "best ms", "times as long"), shown)
    middle = statistics.median(times for _, times, _ in judged)
    say(
        f"{close} of {len(judged)} choices take at most {_CLOSE} times as long as the best "
        f"algorithm; the median takes {middle:.2f} times as long"
    )

"""Repeats a benchmark in separate processes, in turns, and returns the medians.

The placement of memory differs between processes, and so does the time of a pass. Two frameworks in
one process also disturb each other: a forward pass of x3d_s in PyTorch took 38 ms in the same
process as vidjax, and 16 ms in its own process.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .measurement import Measurement
from .models_csv import read_csv
from .timing import half_spread

_CASE = ("network", "task", "dtype", "batch", "clip")
_MEDIANS = ("ms", "clips_per_second", "of_torch", "flops_per_second", "of_matmul", "of_copies")


def in_processes(
    common: Sequence[str], parts: Sequence[Sequence[str]], turns: int, say: Callable[[str], None]
) -> list[list[Measurement]]:
    """Runs `vidjax benchmark` in fresh processes, one after the other.

    Args:
      common: the name of the benchmark and its flags, without `--processes` and `--output`.
      parts: more flags; each part is a process in every turn.
      turns: number of turns.
      say: takes a line of progress.

    Returns:
      The measurements of each turn. `of_torch` compares measurements of the same turn.

    Raises:
      RuntimeError: a process failed; the message has the end of what it printed.
    """
    found = []
    for turn in range(1, turns + 1):
        rows = []
        for part in parts:
            rows += _measured([*common, *part])
            say(f"turn {turn} of {turns}: {' '.join(part)} is done")
        found.append(_compared(rows))
    return found


def _measured(arguments: Sequence[str]) -> list[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "vidjax", "benchmark"]
        command = [*program, *arguments, f"--output={folder}/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise RuntimeError(f"{' '.join(arguments)} failed: " + "\n".join(lines[-5:]))
        return read_csv(Path(folder, "out", "models.csv"))


def _compared(rows: Sequence[Measurement]) -> list[Measurement]:
    """Sets `of_torch`, for rows of several processes."""
    best: dict[tuple[object, ...], float] = {}
    for row in rows:
        if row.peer.startswith("torch"):
            best[_case(row)] = min(row.ms, best.get(_case(row), row.ms))
    return [
        dataclasses.replace(row, of_torch=row.ms / best[_case(row)] if _case(row) in best else None)
        for row in rows
    ]


def _case(row: Measurement) -> tuple[object, ...]:
    return tuple(getattr(row, key) for key in _CASE)


def medians(processes: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Returns the median of each measurement over processes.

    `of_torch` is the median of the ratios that the processes measured, and its range is in
    `least_of_torch` and `most_of_torch`. `half_iqr_ms` is half of the interquartile range of the
    processes' medians.

    Args:
      processes: the measurements of each turn; a peer may be absent from some.
    """
    by_case: dict[tuple[object, ...], list[Measurement]] = {}
    for row in (row for process in processes for row in process):
        by_case.setdefault((*_case(row), row.peer), []).append(row)
    return [_median(rows) for rows in by_case.values()]


def _median(rows: Sequence[Measurement]) -> Measurement:
    found = {name: [getattr(row, name) for row in rows] for name in _MEDIANS}
    ratios = [ratio for ratio in found["of_torch"] if ratio is not None]
    changed: dict[str, Any] = {
        name: statistics.median(values) if None not in values else None
        for name, values in found.items()
    }
    seconds = [row.compile_seconds for row in rows if row.compile_seconds is not None]
    return dataclasses.replace(
        rows[0],
        **changed,
        half_iqr_ms=half_spread(found["ms"]),
        compile_seconds=statistics.median(seconds) if seconds else None,
        processes=len(rows),
        least_of_torch=min(ratios, default=None),
        most_of_torch=max(ratios, default=None),
    )

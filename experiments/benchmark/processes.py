"""The same benchmark in several processes, and the median over them.

Where memory lies differs from process to process, and so does the time of a pass: a step of
slowonly_50 took between 0.87 and 1.15 of PyTorch's time in ten processes on one machine. Rounds
within a process cannot show this.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .measurement import Measurement
from .models_csv import read_csv
from .timing import half_spread

_KEY = ("network", "task", "dtype", "batch", "clip", "peer")
_MEDIANS = ("ms", "clips_per_second", "of_torch", "flops_per_second", "of_matmul", "of_copies")


def in_processes(
    arguments: Sequence[str], count: int, say: Callable[[str], None]
) -> list[list[Measurement]]:
    """Runs `vidjax benchmark ARGUMENTS` in fresh processes, one after the other.

    Args:
      arguments: the part and its flags, without `--processes` and `--output`.
      count: number of processes.
      say: takes a line of progress.

    Returns:
      The measurements of each process.

    Raises:
      RuntimeError: a process failed; the message has the end of what it printed.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(1, count + 1):
            output = Path(folder, str(turn))
            command = [
                sys.executable,
                "-m",
                "vidjax",
                "benchmark",
                *arguments,
                f"--output={output}",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = (done.stdout + done.stderr).strip().splitlines()
                raise RuntimeError(f"process {turn} of {count} failed: " + "\n".join(lines[-5:]))
            found.append(read_csv(output / "models.csv"))
            say(f"process {turn} of {count} is done")
    return found


def medians(processes: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Returns the median of each measurement over processes.

    `of_torch` is the median of the ratios that the processes measured, and its range is in
    `least_of_torch` and `most_of_torch`. `half_iqr_ms` is half of the interquartile range of the
    processes' medians.

    Args:
      processes: the measurements of each process; a peer may be absent from some.
    """
    by_case: dict[tuple[object, ...], list[Measurement]] = {}
    for row in (row for process in processes for row in process):
        by_case.setdefault(tuple(getattr(row, key) for key in _KEY), []).append(row)
    return [_median(rows) for rows in by_case.values()]


def _median(rows: Sequence[Measurement]) -> Measurement:
    found = {name: [getattr(row, name) for row in rows] for name in _MEDIANS}
    ratios = [ratio for ratio in found["of_torch"] if ratio is not None]
    changed = {
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

"""Writes a run's metrics to `metrics.jsonl` and other writers, and formats its progress line."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.storage.writing import appending, sync, writing_bytes
from vidjax.training.writers import Writer

Numbers = Mapping[str, float]
_MEND = "correct the line, or remove it"


class _Line(msgspec.Struct):
    """The fields that every line has; all other names are numbers."""

    step: records.Count
    split: str = ""


class MetricWriter:
    """Writes numbers to `metrics.jsonl`, one object per line, and to other writers.

    Args:
      workdir: work directory of the run.
      step: step that the run resumes after. An interrupted run may have written lines of later
        steps, which will be written again; they are moved to `metrics-interrupted.jsonl`.
      others: writers that get the same numbers after the file.
      silent: write nothing; for all processes but one.
    """

    def __init__(
        self,
        workdir: Path,
        step: int = 0,
        *,
        others: Sequence[Writer] = (),
        silent: bool = False,
    ) -> None:
        self._path, self._silent, self._others = workdir / "metrics.jsonl", silent, others
        if silent:
            return
        _set_aside(self._path, step)
        names = (self._path.name, "timing.jsonl")
        with contextlib.ExitStack() as stack:
            self._files = {name: stack.enter_context(appending(workdir / name)) for name in names}
            self._open = stack.pop_all()

    def write(self, step: int, split: str, numbers: Numbers) -> None:
        """Adds one line `{"step": ..., "split": ..., numbers}`."""
        if self._silent:
            return
        self._add(self._path.name, _line(step, split, numbers))
        for other in self._others:
            other.write(step, split, numbers)

    def write_timing(self, step: int, split: str, numbers: Numbers) -> None:
        """Adds a line to `timing.jsonl`.

        Times differ from run to run. They have their own file, so that equal runs have equal
        `metrics.jsonl`.
        """
        if self._silent:
            return
        self._add("timing.jsonl", _line(step, split, numbers))
        for other in self._others:
            other.write(step, f"timing/{split}", numbers)

    def _add(self, name: str, line: str) -> None:
        self._files[name].write(line)
        self._files[name].flush()

    def has(self, step: int, split: str) -> bool:
        """Returns whether a line of this step and split was written; False for a silent writer."""
        if self._silent:
            return False
        sync(self._files[self._path.name])
        lines = read_metrics(self._path)
        return any(line["step"] == step and line.get("split") == split for line in lines)

    def flush(self) -> None:
        """Returns when everything written so far is safe, as far as the other writers allow."""
        if not self._silent:
            for each in self._files.values():
                sync(each)
        for other in self._others:
            other.flush()

    def close(self) -> None:
        """Writes the buffers and closes all files."""
        # All are closed, even if one of them fails.
        with contextlib.ExitStack() as stack:
            for other in self._others:
                stack.callback(other.close)
            if not self._silent:
                stack.callback(self._open.close)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads the lines of a `metrics.jsonl`, without an incomplete last line left by a kill.

    Raises:
      RecordError: another line is damaged; names the file and the line.
    """
    return records.read_lines(path, _MEND, _Line)


def _line(step: int, split: str, numbers: Numbers) -> str:
    """Formats a line. JSON has no NaN or infinity; they become null."""
    finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return json.dumps({"step": step, "split": split, **finite}, allow_nan=False) + "\n"


def _set_aside(path: Path, step: int) -> None:
    """Moves lines after a step, and an incomplete last line, to another file byte by byte."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        lines = stream.readlines()
    until = [found["step"] <= step for found in read_metrics(path)]
    until += [False] * (len(lines) - len(until))
    if all(until):
        return
    # The moved lines are on disk before they are removed here.
    with appending(path.with_name("metrics-interrupted.jsonl")) as file:
        file.flush()
        later = (line for line, stays in zip(lines, until, strict=True) if not stays)
        file.buffer.write(b"".join(later))
    with writing_bytes(path) as whole:
        whole.writelines(itertools.compress(lines, until))


def progress_text(
    step: int, total: int, numbers: Numbers, clips_per_second: float, left: str
) -> str:
    """Formats the progress line: step, loss, top-1, clips per second and the time left.

    For multi-label data, hit@1 replaces top-1: whether the most likely class is one of the clip's.
    """
    right = f"hit@1 {numbers['hit1']:.1%}" if "hit1" in numbers else f"top-1 {numbers['top1']:.1%}"
    return (
        f"step {step}/{total}  loss {numbers['loss']:.3f}  {right}  "
        f"{clips_per_second:.1f} clips/s{left}"
    )

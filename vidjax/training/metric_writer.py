"""What a run tells while it runs: metrics.jsonl, its other writers and its live line."""

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
from vidjax.progress import duration
from vidjax.storage.writing import appending, sync, writing_bytes
from vidjax.training.writers import Writer

Numbers = Mapping[str, float]
_MEND = "correct the line, or remove it"


class _Line(msgspec.Struct):
    """What every line has; the other names are of numbers."""

    step: records.Count
    split: str = ""


class MetricWriter:
    """Writes numbers to `metrics.jsonl`, one object a line, and to other writers.

    Args:
      workdir: folder of the run.
      step: step that the run resumes after. Lines of later steps, which an interrupted run
        wrote past its last checkpoint and which are about to be written again, are moved to
        `metrics-interrupted.jsonl`.
      others: given the same numbers, after they are in the file.
      silent: writes nothing, in a process beside the one that does.
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

        What a clock says differs from run to run; apart, it leaves `metrics.jsonl` equal for
        equal runs.
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
        """Whether a line of this step and split is written; a silent writer does not know."""
        if self._silent:
            return False
        sync(self._files[self._path.name])
        lines = read_metrics(self._path)
        return any(line["step"] == step and line.get("split") == split for line in lines)

    def flush(self) -> None:
        """Returns when nothing that was written can be lost, as far as the other writers can."""
        if not self._silent:
            for each in self._files.values():
                sync(each)
        for other in self._others:
            other.flush()

    def close(self) -> None:
        """Writes what is buffered, and no more."""
        # Each of them, also where one cannot be written.
        with contextlib.ExitStack() as stack:
            for other in self._others:
                stack.callback(other.close)
            if not self._silent:
                stack.callback(self._open.close)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; half a last one, which a kill leaves, is left out.

    Raises:
      RecordError: another line is damaged; names file and line.
    """
    return records.read_lines(path, _MEND, _Line)


def _line(step: int, split: str, numbers: Numbers) -> str:
    """JSON has no NaN and no infinity: such a number is null."""
    finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return json.dumps({"step": step, "split": split, **finite}, allow_nan=False) + "\n"


def _set_aside(path: Path, step: int) -> None:
    """Moves lines past a step, and half a last line, to another file, in the bytes they have."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        lines = stream.readlines()
    until = [found["step"] <= step for found in read_metrics(path)]
    until += [False] * (len(lines) - len(until))
    if all(until):
        return
    # What is set aside is on disk before it is gone from its place.
    with appending(path.with_name("metrics-interrupted.jsonl")) as file:
        file.flush()
        later = (line for line, stays in zip(lines, until, strict=True) if not stays)
        file.buffer.write(b"".join(later))
    with writing_bytes(path) as whole:
        whole.writelines(itertools.compress(lines, until))


def progress_text(
    step: int, total: int, numbers: Numbers, clips_per_second: float, left: float
) -> str:
    """The progress line: step, loss, top-1, clips a second and time left in seconds.

    Of several labels a video, hit@1 takes the place of top-1: whether the likeliest class is one of
    the clip's.
    """
    right = f"hit@1 {numbers['hit1']:.1%}" if "hit1" in numbers else f"top-1 {numbers['top1']:.1%}"
    return (
        f"step {step}/{total}  loss {numbers['loss']:.3f}  {right}  "
        f"{clips_per_second:.1f} clips/s  {duration(left)} left"
    )

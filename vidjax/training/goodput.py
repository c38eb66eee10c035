"""Goodput: what a run spends its time on, over all its starts.

Each start adds lines `spent` to `timing.jsonl`: when it began, and its seconds by kind up to a
step. The steps of a killed start after its last checkpoint are done again by the next start; their
seconds were wasted. Time after the last line of a killed start and time between starts is not
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.progress import duration
from vidjax.training.phase_timer import KINDS

TIMING = "timing.jsonl"
SPENT = "spent"
# The reported kinds, in this order. `restarts` is startup time and work that was done again.
SHARES = ("steps", "waiting", "compiling", "checkpoints", "evaluation", "restarts")
# Words for the kinds in `timing.jsonl`, in the sentence and in the plot.
WORDS = {
    "steps": "steps",
    "waiting": "waiting for data",
    "compiling": "compiling",
    "checkpoints": "checkpoints",
    "evaluation": "evaluation",
    "starting": "startup",
    "repeated": "repeated work",
}
# Kinds that every start needs, whether its steps are kept or not.
_PAID = ("starting", "compiling")


class Spent(msgspec.Struct):
    """A line of `timing.jsonl`: the time that a start has spent up to a step.

    Attributes:
      step: step of the run.
      began: when the start began, in seconds since 1970.
      starting: seconds until the training step was compiled, without the seconds of `compiling`,
        and seconds in which the input rate was measured.
      compiling: seconds of compilation. The other fields are seconds of their kinds.
    """

    step: records.Count
    split: str = ""
    began: records.Amount = 0.0
    starting: records.Amount = 0.0
    compiling: records.Amount = 0.0
    waiting: records.Amount = 0.0
    steps: records.Amount = 0.0
    checkpoints: records.Amount = 0.0
    evaluation: records.Amount = 0.0

    def seconds(self) -> dict[str, float]:
        """Returns seconds by kind."""
        return {kind: getattr(self, kind) for kind in KINDS}


@dataclass(frozen=True)
class Start:
    """One start of a run.

    Attributes:
      first: step that it resumed after.
      last: last step that it logged.
      seconds: useful seconds by kind.
      repeated: seconds whose work a later start did again.
    """

    first: int
    last: int
    seconds: Mapping[str, float]
    repeated: float


def read_spent(workdir: Path) -> list[Spent]:
    """Reads the lines of all starts of a run; empty without `timing.jsonl`.

    Raises:
      RecordError: a line is damaged; names the file and the line.
    """
    file = workdir / TIMING
    if not file.is_file():
        return []
    lines = records.read_lines(file, f"move {file} away; earlier starts then no longer count")
    return [records.converted(each, Spent) for each in lines if each.get("split") == SPENT]


def starts(lines: Sequence[Spent]) -> list[Start]:
    """Returns the starts of a run, the earliest first."""
    by_start: dict[float, list[Spent]] = {}
    for line in lines:
        by_start.setdefault(line.began, []).append(line)
    found: list[Start] = []
    # The earliest step from which a later start resumed.
    kept = float("inf")
    for began in sorted(by_start, reverse=True):
        own = by_start[began]
        found.insert(0, _start(own, kept))
        kept = min(kept, own[0].step)
    return found


def _start(lines: Sequence[Spent], kept: float) -> Start:
    spent, useful = lines[-1].seconds(), dict.fromkeys(KINDS, 0.0)
    for line in lines:
        if line.step <= kept:
            useful = line.seconds()
    useful |= {kind: spent[kind] for kind in _PAID}
    return Start(lines[0].step, lines[-1].step, useful, sum(spent.values()) - sum(useful.values()))


def shares(found: Sequence[Start]) -> dict[str, float]:
    """Returns fractions of the time of all starts, by the names in `SHARES`; they sum to 1."""
    sums = {kind: sum(start.seconds[kind] for start in found) for kind in KINDS}
    sums["restarts"] = sums["starting"] + sum(start.repeated for start in found)
    total = sum(sums[name] for name in SHARES)
    return {name: sums[name] / max(total, 1e-9) for name in SHARES}


def total_seconds(found: Sequence[Start]) -> float:
    """Returns the seconds of all starts."""
    return sum(sum(start.seconds.values()) + start.repeated for start in found)


def sentence(found: Sequence[Start]) -> str:
    """Describes the shares in words."""
    total = max(total_seconds(found), 1e-9)
    sums = {kind: sum(start.seconds[kind] for start in found) for kind in KINDS}
    sums["repeated"] = sum(start.repeated for start in found)
    # The only start of a run repeats nothing.
    kinds = (kind for kind in WORDS if kind != "repeated" or len(found) > 1)
    parts = (f"{WORDS[kind]} {sums[kind] / total:.1%}" for kind in kinds)
    return f"{headline(found)}: {', '.join(parts)}"


def headline(found: Sequence[Start]) -> str:
    """Says how long a run took and how often it was started."""
    total = total_seconds(found)
    unit = "hours:minutes:seconds" if round(total) >= 3600 else "minutes:seconds"
    count = "once" if len(found) == 1 else f"{len(found)} times"
    return f"took {duration(total)} ({unit}), started {count}"

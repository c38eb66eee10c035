"""What the time of a run went to, over all its starts.

Each start adds lines `spent` to `timing.jsonl`: when it began, and its seconds by kind up to a
step. A start that was killed has done steps that the next one did again, from the checkpoint that
it resumed after; their seconds were spent in vain. Seconds after the last line of a killed start,
and those between two starts, are not known here.
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
# What people are told, in this order; `restarts` is starting up and work that was done again.
SHARES = ("steps", "waiting", "compiling", "checkpoints", "evaluation", "restarts")
_WORDS = {"waiting": "waiting for data"}
# What each start pays, whether its steps are kept or not.
_PAID = ("starting", "compiling")


class Spent(msgspec.Struct):
    """A line: what a start has spent up to a step.

    Attributes:
      step: of the run.
      began: the start, in seconds since 1970.
      starting: seconds until the training step is compiled, without those of `compiling`.
      compiling: seconds, likewise for the others.
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
        """Seconds by kind."""
        return {kind: getattr(self, kind) for kind in KINDS}


@dataclass(frozen=True)
class Start:
    """One start of a run.

    Attributes:
      first: step that it resumed after.
      last: the last one that it told of.
      seconds: by kind, of what was kept.
      repeated: seconds whose work was done again by a later start.
    """

    first: int
    last: int
    seconds: Mapping[str, float]
    repeated: float


def read_spent(workdir: Path) -> list[Spent]:
    """The lines of all starts of a run; none where it has no `timing.jsonl`.

    Raises:
      RecordError: a line is damaged; names file and line.
    """
    file = workdir / TIMING
    if not file.is_file():
        return []
    lines = records.read_lines(file, f"move {file} away; the shares of earlier starts go with it")
    return [records.converted(each, Spent) for each in lines if each.get("split") == SPENT]


def starts(lines: Sequence[Spent]) -> list[Start]:
    """The starts of a run, the earliest first."""
    by_start: dict[float, list[Spent]] = {}
    for line in lines:
        by_start.setdefault(line.began, []).append(line)
    found: list[Start] = []
    # The earliest step that a later start went back to.
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
    """Fractions of the time of all starts, by the names in `SHARES`; they sum to 1."""
    sums = {kind: sum(start.seconds[kind] for start in found) for kind in KINDS}
    sums["restarts"] = sums["starting"] + sum(start.repeated for start in found)
    total = sum(sums[name] for name in SHARES)
    return {name: sums[name] / max(total, 1e-9) for name in SHARES}


def total_seconds(found: Sequence[Start]) -> float:
    """Seconds of all starts."""
    return sum(sum(start.seconds.values()) + start.repeated for start in found)


def sentence(found: Sequence[Start]) -> str:
    """The shares in words."""
    total = max(total_seconds(found), 1e-9)
    texts = [f"{_WORDS.get(name, name)} {share:.1%}" for name, share in shares(found).items()]
    again = sum(start.repeated for start in found) / total
    begun = sum(start.seconds["starting"] for start in found) / total
    count = "1 start" if len(found) == 1 else f"{len(found)} starts"
    return (
        f"{duration(total)} in {count}: {', '.join(texts)} (starting up {begun:.1%}, work done "
        f"again {again:.1%})"
    )

"""Fits a plan to a number of hours by leaving out seeds, and then rows.

Whole seeds of all rows are left out first. The estimate is the measured time of finished runs, so
the choice does not depend on their scores. The choice is made once and stored in `budget.json`. The
same command keeps it, whatever has finished since.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from vidjax import records

from ..runs.worker import read_record
from .plan import Plan, Run

# With fewer seeds rows are left out: the interval of two seeds is twelve standard errors wide.
FEWEST_SEEDS = 3
_FILE = "budget.json"


@dataclass(frozen=True)
class Budget:
    """The runs that fit into a number of hours.

    Attributes:
      hours: limit for the whole table, including runs that are already finished.
      workers: number of runs at a time, as assumed by the estimate.
      seeds: seeds that are trained.
      rows: names of the rows that are trained.
      estimate: hours that these runs take.
    """

    hours: float
    workers: int
    seeds: tuple[int, ...]
    rows: tuple[str, ...]
    estimate: float

    def has(self, run: Run) -> bool:
        """Returns whether a run is trained."""
        return run.seed in self.seeds and run.row in self.rows

    def in_words(self, plan: Plan) -> str:
        """Describes what is left out of a plan."""
        seeds = [str(seed) for seed in _seeds(plan) if seed not in self.seeds]
        rows = [row for row in _rows(plan) if row not in self.rows]
        out = [f"seeds {', '.join(seeds)} of all rows"] if seeds else []
        out += [f"the rows {', '.join(rows)}"] if rows else []
        left = f"leaves out {' and '.join(out)}" if out else "leaves out nothing"
        return f"--hours={self.hours:g} {left}; the rest takes about {self.estimate:.1f} hours"


def read(folder: Path) -> Budget | None:
    """Reads the choice of a table's folder; None if there is none.

    Raises:
      RecordError: the file is damaged.
    """
    file = folder / _FILE
    way_out = "remove it; the choice is then made again"
    return records.read(file, Budget, way_out) if file.is_file() else None


def fit(plan: Plan, hours: float, workers: int) -> Budget:
    """Fits a plan to a number of hours, or returns the stored choice for the same hours.

    Seeds are left out from the last one on, until three are left; then rows from the last one on.
    The rows of the first contrast, the reference row, and rows that others begin from are never
    left out.

    Args:
      plan: the plan; at least one of its runs is finished.
      hours: the limit for the whole table.
      workers: number of runs at a time.

    Raises:
      ValueError: the smallest choice takes longer; the message says how long.
      RecordError: the stored choice is damaged.
    """
    if (stored := read(plan.folder)) and (stored.hours, stored.workers) == (hours, workers):
        return stored
    seconds = estimates(plan)
    found = _fit(plan, hours, workers, seconds)
    records.write(plan.folder / _FILE, msgspec.to_builtins(found))
    return found


def estimates(plan: Plan) -> dict[str, float]:
    """Estimates the seconds of each run, by name.

    A finished run has its own time. Another one has the mean of the finished runs of its row, of
    its data set, or of the plan, in this order.

    Raises:
      ValueError: no run of the plan is finished.
    """
    took = {run.name: float(read_record(run.record)["seconds"]) for run in plan.runs if done(run)}
    if not took:
        raise ValueError(f"no run of {plan.name} is finished, so nothing is known of their times")

    def mean(runs: Sequence[Run]) -> float:
        known = [took[run.name] for run in runs if run.name in took]
        return float(np.mean(known)) if known else math.nan

    def estimate(run: Run) -> float:
        data = [each for each in plan.runs if each.dataset == run.dataset]
        row = [each for each in data if each.row == run.row]
        return next(x for x in map(mean, (row, data, plan.runs)) if not math.isnan(x))

    return {run.name: took.get(run.name) or estimate(run) for run in plan.runs}


def done(run: Run) -> bool:
    """Returns whether a run is finished."""
    return read_record(run.record).get("state") == "finished"


def pilot(plan: Plan) -> tuple[Run, ...]:
    """Returns the runs to measure first: the first one of each data set without a finished run."""
    measured = {run.dataset for run in plan.runs if done(run)}
    first = {run.dataset: run for run in reversed(plan.runs) if run.dataset not in measured}
    return tuple(first.values())


def _fit(plan: Plan, hours: float, workers: int, seconds: Mapping[str, float]) -> Budget:
    seeds, rows, needed = _seeds(plan), _rows(plan), _needed(plan)
    fewest = min(FEWEST_SEEDS, len(seeds))
    choices = [(seeds[:count], rows) for count in range(len(seeds), fewest - 1, -1)]
    while len(left := _without_last(rows, needed)) < len(rows):
        rows = left
        choices.append((seeds[:fewest], rows))
    for some, those in choices:
        found = Budget(hours, workers, tuple(some), tuple(those), math.nan)
        total = sum(seconds[run.name] for run in plan.runs if found.has(run))
        estimate = total / workers / 3600
        if estimate <= hours:
            return Budget(hours, workers, tuple(some), tuple(those), estimate)
    raise ValueError(
        f"--hours={hours:g}: {len(some)} seeds of {', '.join(those)} alone take about "
        f"{estimate:.1f} hours; give more"
    )


def _seeds(plan: Plan) -> list[int]:
    return [*dict.fromkeys(run.seed for run in plan.runs)]


def _rows(plan: Plan) -> list[str]:
    return [*dict.fromkeys(run.row for run in plan.runs)]


def _needed(plan: Plan) -> set[str]:
    """Returns the rows that are never left out; the primary contrast is the first one."""
    first = plan.contrasts[:1]
    rows = {plan.table.reference, *(row for each in first for row in (each.row, each.reference))}
    return rows | {run.begins for run in plan.runs if run.begins}


def _without_last(rows: Sequence[str], needed: set[str]) -> list[str]:
    """Leaves out the last row that is not needed."""
    last = next((row for row in reversed(rows) if row not in needed), None)
    return [row for row in rows if row != last]

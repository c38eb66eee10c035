"""What the runs of a sweep came to, read from their directories, and how combinations compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vidjax import records
from vidjax.training.metric_writer import read_metrics

from ..runs.run import Run
from ..runs.statistics import Interval, interval
from ..runs.worker import read_record
from .combination import Combination
from .metric import Metric
from .plan import Plan


@dataclass(frozen=True)
class Result:
    """How a run ended; numbers are NaN unless it is finished.

    Attributes:
      run: the run.
      state: `finished`, `failed`, `stopped`, `started`, or `not started`.
      error: what a failed run said.
      score: the metric.
      step: of the evaluation that it is of.
      seconds: wall time of the run.
    """

    run: Run
    state: str
    error: str = ""
    score: float = float("nan")
    step: int = 0
    seconds: float = float("nan")


@dataclass(frozen=True)
class Summary:
    """A combination over its seeds.

    Attributes:
      combination: its settings.
      results: one for each seed, finished or not.
    """

    combination: Combination
    results: Sequence[Result]

    @property
    def finished(self) -> list[Result]:
        """The finished ones."""
        return [result for result in self.results if result.state == "finished"]

    @property
    def scores(self) -> list[float]:
        """The metric of each finished run."""
        return [result.score for result in self.finished]

    @property
    def over_seeds(self) -> Interval:
        """The metric over the finished seeds."""
        return interval(self.scores)


def read_result(run: Run, metric: Metric) -> Result:
    """How a run ended.

    Raises:
      RecordError: a file of the run is damaged, or its evaluation lacks the metric.
    """
    record = read_record(run.record)
    state = record.get("state", "not started")
    if state != "finished":
        return Result(run, state, record.get("error", ""))
    score, step = _score(run, metric)
    return Result(run, state, score=score, step=step, seconds=record.get("seconds", math.nan))


def ranked(plan: Plan, metric: Metric) -> list[Summary]:
    """The combinations, the best first; those without a finished run come last."""
    found = [
        Summary(each, [read_result(run, metric) for run in plan.of(each)])
        for each in plan.combinations
    ]

    def rank(summary: Summary) -> tuple[bool, float]:
        mean = summary.over_seeds.mean
        return math.isnan(mean), -metric.sign * mean

    return sorted(found, key=rank)


def _score(run: Run, metric: Metric) -> tuple[float, int]:
    """The metric of the evaluation that counts, and its step; NaN where it is not finite."""
    file = run.workdir / "metrics.jsonl"
    lines = [line for line in read_metrics(file) if line.get("split") == metric.protocol]
    if not lines:
        raise records.RecordError(f"{file} has no line of {metric.protocol}: remove {run.record}")
    if metric.name not in lines[-1]:
        there = ", ".join(name for name in lines[-1] if name not in ("step", "split"))
        raise records.RecordError(
            f"{file} has no {metric.name} of {metric.protocol}, but {there}; name another --metric"
        )
    values = [(_number(line.get(metric.name)), line["step"]) for line in lines]
    if metric.checkpoint == "last":
        return values[-1]
    # Of equal ones the first, which training also keeps as its best checkpoint.
    known = [each for each in values if not math.isnan(each[0])] or values
    return max(known, key=lambda each: metric.sign * each[0])


def _number(value: object) -> float:
    """JSON has null for what is not finite; a line of an older vidjax may lack it."""
    return float(value) if isinstance(value, (int, float)) else float("nan")

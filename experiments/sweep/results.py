"""Reads the results of a sweep's runs, and ranks the combinations."""

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
    """The result of a run; numbers are NaN unless it is finished.

    Attributes:
      run: the run.
      state: `finished`, `failed`, `stopped`, `started`, or `not started`.
      error: error message of a failed run.
      score: the metric.
      step: step of the evaluation.
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
    """The results of a combination over all seeds.

    Attributes:
      combination: the combination.
      results: one result for each seed, finished or not.
    """

    combination: Combination
    results: Sequence[Result]

    @property
    def finished(self) -> list[Result]:
        """The finished results."""
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
    """Reads the result of a run.

    Raises:
      RecordError: a file of the run is damaged, or the evaluation lacks the metric.
    """
    record = read_record(run.record)
    state = record.get("state", "not started")
    if state != "finished":
        return Result(run, state, record.get("error", ""))
    score, step = _score(run, metric)
    return Result(run, state, score=score, step=step, seconds=record.get("seconds", math.nan))


def ranked(plan: Plan, metric: Metric) -> list[Summary]:
    """Ranks the combinations, best first; those without a finished run come last."""
    found = [
        Summary(each, [read_result(run, metric) for run in plan.of(each)])
        for each in plan.combinations
    ]

    def rank(summary: Summary) -> tuple[bool, float]:
        mean = summary.over_seeds.mean
        return math.isnan(mean), -metric.sign * mean

    return sorted(found, key=rank)


def _score(run: Run, metric: Metric) -> tuple[float, int]:
    """Returns the metric of the evaluation that counts, and its step; NaN if not finite."""
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
    # The first of equal ones, which training also keeps as its best checkpoint.
    known = [each for each in values if not math.isnan(each[0])] or values
    return max(known, key=lambda each: metric.sign * each[0])


def _number(value: object) -> float:
    """Returns NaN for null, which JSON has for numbers that are not finite, and if it is absent."""
    return float(value) if isinstance(value, (int, float)) else float("nan")

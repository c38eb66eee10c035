"""The statistics of a table's rows: intervals over seeds, and differences seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidjax.evaluation.significance import McNemar, mcnemar

from ..runs.statistics import Interval, interval
from .contrast_results import aligned
from .plan import Plan
from .results import Result
from .table import Row


@dataclass(frozen=True)
class Comparison:
    """A row compared with the reference row, over the seeds that both have finished.

    Attributes:
      difference: top-1 of the row minus that of the reference, seed by seed.
      timed: the same on classes that no single frame decides.
      gap: the same for the gap between training and test videos.
      by_seed: McNemar's test of each seed alone; `b` counts videos that only the reference has
        right, `c` those that only the row has right.
    """

    difference: Interval
    timed: Interval
    gap: Interval
    by_seed: dict[int, McNemar]


@dataclass(frozen=True)
class Summary:
    """A row of the table on one data set.

    Attributes:
      row: the row.
      results: one result for each seed, finished or not.
      comparison: comparison with the reference; None if it is the reference itself, if the
        reference is not on this data set, or if no seed is common.
    """

    row: Row
    results: tuple[Result, ...]
    comparison: Comparison | None

    @property
    def finished(self) -> tuple[Result, ...]:
        """The finished results."""
        return tuple(result for result in self.results if result.state == "finished")

    @property
    def test_videos(self) -> int:
        """Number of test videos; 0 if no run is finished."""
        return max((len(result.correct) for result in self.finished), default=0)

    def over_seeds(self, quantity: str) -> Interval:
        """Averages a quantity of the finished runs, by its name in `Result`."""
        return interval([getattr(result, quantity) for result in self.finished])


def summarize(plan: Plan, results: Sequence[Result], dataset: str) -> list[Summary]:
    """Summarises the rows of a table on a data set, in order."""
    by_row = {
        row.name: tuple(
            result
            for result in results
            if (result.run.dataset, result.run.row) == (dataset, row.name)
        )
        for row in plan.rows(dataset)
    }

    def compared(row: Row) -> Comparison | None:
        against = row.against or plan.table.reference
        if row.name == against or against not in by_row:
            return None
        return compare(by_row[row.name], by_row[against])

    return [Summary(row, by_row[row.name], compared(row)) for row in plan.rows(dataset)]


def compare(row: Sequence[Result], reference: Sequence[Result]) -> Comparison | None:
    """Compares runs with those of the reference with the same seeds; None if there are none.

    Raises:
      ValueError: runs of a seed were tested on different videos.
    """
    others = {result.run.seed: result for result in reference if result.state == "finished"}
    pairs = [
        (others[result.run.seed], result)
        for result in row
        if result.state == "finished" and result.run.seed in others
    ]
    if not pairs:
        return None
    return Comparison(
        interval([ours.top1 - theirs.top1 for theirs, ours in pairs]),
        interval([ours.timed_top1 - theirs.timed_top1 for theirs, ours in pairs]),
        interval([ours.gap - theirs.gap for theirs, ours in pairs]),
        {ours.run.seed: mcnemar(*aligned(theirs, ours)) for theirs, ours in pairs},
    )

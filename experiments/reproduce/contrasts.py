"""The contrasts of a table: which rows are compared, by which metric, on which data set.

They are part of `plan.json`, so they are fixed before the first run starts. A table has at most one
primary contrast, whose p-value is not corrected. The p-values of all others are corrected together
by Holm's method.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Metrics by their name in `Result`, with their names in tables.
METRICS = {
    "top1": "top-1",
    "timed_top1": "top-1, timed classes",
    "gap": "gap",
    "gap_as_trained": "gap as trained",
}


@dataclass(frozen=True)
class Contrast:
    """A row minus its reference row, by a metric on a data set.

    Attributes:
      row: name of the row.
      reference: name of the row to subtract.
      dataset: name of the data set.
      metric: `top1`, `timed_top1` (classes that no single frame decides), `gap` (top-1 on the
        training videos minus top-1 on the test videos) or `gap_as_trained` (accuracy on the clips
        of the last epoch, augmented and with regularisers, minus top-1 on the test videos).

    Raises:
      ValueError: the metric is unknown, or the row is its own reference.
    """

    row: str
    reference: str
    dataset: str
    metric: str = "top1"

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric {self.metric!r} is unknown; use one of {', '.join(METRICS)}")
        if self.row == self.reference:
            raise ValueError(f"{self.row} is compared with itself; name another reference")

    @property
    def name(self) -> str:
        """Such as `rms - baseline, gap, marionette`."""
        return f"{self.row} - {self.reference}, {METRICS[self.metric]}, {self.dataset}"


def contrasts(
    rows: Sequence[str], reference: str, datasets: Sequence[str], *metrics: str
) -> tuple[Contrast, ...]:
    """Compares rows with one reference by one or more metrics; data sets vary slowest.

    Args:
      rows: names of the rows; the reference itself is left out.
      reference: name of the row to subtract.
      datasets: names of data sets.
      *metrics: metrics, as in `Contrast`.
    """
    return tuple(
        Contrast(row, reference, dataset, metric)
        for dataset, metric, row in itertools.product(datasets, metrics, rows)
        if row != reference
    )


def planned(
    named: Sequence[Contrast], rows: Mapping[str, Sequence[tuple[str, str]]]
) -> tuple[Contrast, ...]:
    """Returns the contrasts of a plan: the named ones on its data sets, or each row's top-1.

    Args:
      named: contrasts that the table names; may be empty.
      rows: for each data set of the plan, the name of each row with that of its reference.

    Raises:
      ValueError: a named contrast has a row that is not trained on its data set.
    """
    known = {dataset: {row for row, _ in pairs} for dataset, pairs in rows.items()}
    kept = [each for each in named if each.dataset in rows]
    if not kept:
        return tuple(_by_default(rows, known))
    for each in kept:
        for row in (each.row, each.reference):
            if row not in known[each.dataset]:
                raise ValueError(f"{each.name}: {row!r} is not trained on {each.dataset}")
    return tuple(dict.fromkeys(kept))


def _by_default(
    rows: Mapping[str, Sequence[tuple[str, str]]], known: Mapping[str, set[str]]
) -> Iterator[Contrast]:
    for dataset, pairs in rows.items():
        for row, reference in pairs:
            if row != reference and reference in known[dataset]:
                yield Contrast(row, reference, dataset)

"""Writes a table as CSV: a line per row and data set, per run, and per contrast.

Fractions are in [0, 1] and times in seconds. `half` is half the width of the 95 % interval over
seeds. Unknown values are empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..runs import csv_table
from .contrast_results import ContrastResult
from .results import Result
from .statistics import Comparison, Summary

QUANTITIES = (
    "top1",
    "timed_top1",
    "train_top1",
    "gap",
    "train_accuracy",
    "gap_as_trained",
    "seconds",
    "cpu_seconds",
)


def write_rows(file: Path, summaries: Mapping[str, Sequence[Summary]]) -> None:
    """Writes `table.csv` from the summaries of each data set."""
    csv_table.write(file, (_row(name, each) for name, rows in summaries.items() for each in rows))


def write_runs(file: Path, summaries: Mapping[str, Sequence[Summary]]) -> None:
    """Writes `runs.csv`."""
    every = (each for rows in summaries.values() for each in rows)
    csv_table.write(
        file, (_run(result, each.comparison) for each in every for result in each.results)
    )


def write_contrasts(file: Path, contrasts: Iterable[ContrastResult]) -> None:
    """Writes `contrasts.csv`; the p-values are of paired t-tests over seeds."""
    csv_table.write(file, map(_contrast, contrasts))


def _row(dataset: str, summary: Summary) -> dict[str, Any]:
    row: dict[str, Any] = {
        "dataset": dataset,
        "row": summary.row.name,
        "against": summary.row.against,
        "seeds": len(summary.results),
        "finished": len(summary.finished),
        "test_videos": summary.test_videos,
    }
    for name in QUANTITIES:
        over = summary.over_seeds(name)
        row |= {name: over.mean, f"{name}_half": over.half}
    compared = summary.comparison
    return row | {
        "difference": compared and compared.difference.mean,
        "difference_half": compared and compared.difference.half,
        "timed_difference": compared and compared.timed.mean,
        "timed_difference_half": compared and compared.timed.half,
        "gap_difference": compared and compared.gap.mean,
        "gap_difference_half": compared and compared.gap.half,
        "paper_top1_percent": summary.row.paper,
    }


def _run(result: Result, compared: Comparison | None) -> dict[str, Any]:
    run = result.run
    test = compared and compared.by_seed.get(run.seed)
    return {
        "dataset": run.dataset,
        "row": run.row,
        "seed": run.seed,
        "state": result.state,
        **{name: getattr(result, name) for name in QUANTITIES},
        "compile_seconds": result.compile_seconds,
        "test_videos": len(result.correct),
        "train_videos": result.train_videos,
        "only_reference_right": test and test.b,
        "only_row_right": test and test.c,
        "mcnemar_p": test and test.p_value,
        "workdir": run.workdir,
        "error": result.error,
    }


def _contrast(found: ContrastResult) -> dict[str, Any]:
    contrast = found.contrast
    return {
        "row": contrast.row,
        "reference": contrast.reference,
        "dataset": contrast.dataset,
        "metric": contrast.metric,
        "primary": int(found.primary),
        "seeds": len(found.seeds),
        "difference": found.over_seeds.mean,
        "half_over_seeds": found.over_seeds.half,
        "half_over_seeds_and_videos": found.over_videos.half,
        "p": found.p,
        "p_corrected": found.corrected,
    }

"""Writes the results of a sweep: `table.md`, `table.csv`, `runs.csv` and `figure.png`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import write_text

from ..runs import csv_table, start_log
from ..runs.markdown import failures, number, percent, rows
from ..runs.statistics import Interval
from . import figure
from .axes import short_names
from .metric import Metric
from .plan import Plan
from .results import Summary, ranked
from .validation import caution

_MEANING = (
    "Best first. *{metric}*: the mean over the finished seeds ± half the width of its 95 % "
    "Student-t interval. The interval covers other seeds, not other videos. *s per run*: wall time "
    "with compilation and evaluations."
)


def write_report(plan: Plan, metric: Metric, paths: Sequence[str]) -> list[Summary]:
    """Writes the tables and the picture of a sweep from the runs so far.

    Args:
      plan: plan of the sweep.
      metric: metric that ranks the combinations.
      paths: paths of the settings that are varied.

    Returns:
      The combinations, best first.
    """
    summaries = ranked(plan, metric)
    csv_table.write(plan.folder / "table.csv", (_row(each, metric, paths) for each in summaries))
    csv_table.write(plan.folder / "runs.csv", _runs(summaries, metric, paths))
    figure.draw(plan.folder / "figure.png", summaries, metric, paths)
    write_text(table_of(plan.folder), _text(plan, summaries, metric, paths))
    return summaries


def table_of(folder: Path) -> Path:
    """Returns the path of a sweep's table in Markdown."""
    return folder / "table.md"


def shown(value: Interval, metric: Metric) -> str:
    """Formats a mean with its interval, such as `56.3 ± 2.1`."""
    if metric.scale != 1:
        return percent(value)
    half = "" if value.half != value.half else f" ± {value.half:.2g}"
    return number(value.mean, ".4g") + half


def _text(plan: Plan, summaries: Sequence[Summary], metric: Metric, paths: Sequence[str]) -> str:
    short = short_names(paths)
    labels = [summary.combination.label for summary in summaries]
    first = ["trial"] if any(labels) else []
    columns = [*first, *(short[path] for path in paths), metric.label, "seeds", "s per run"]
    cells = [
        [
            *([each.combination.label] if first else []),
            *(_cell(each.combination.settings[path]) for path in paths),
            shown(each.over_seeds, metric),
            f"{len(each.finished)} of {len(each.results)}",
            number(_seconds(each), ".0f"),
        ]
        for each in summaries
    ]
    lost = [
        (result.run.name, result.state, result.error)
        for each in summaries
        for result in each.results
        if result.state != "finished"
    ]
    meaning = _MEANING.format(metric=metric.label)
    parts = [f"# Sweep of {', '.join(paths)}", start_log.in_words(start_log.noted(plan.folder))]
    parts += [meaning, caution(metric.protocol.rpartition("-")[0]), rows(columns, cells)]
    return "\n\n".join([*parts, *failures(lost), "![score by setting](figure.png)"]) + "\n"


def _cell(text: str) -> str:
    """Escapes a value, so that it cannot end its cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def _seconds(summary: Summary) -> float:
    found = [result.seconds for result in summary.finished]
    return sum(found) / len(found) if found else float("nan")


def _row(summary: Summary, metric: Metric, paths: Sequence[str]) -> dict[str, Any]:
    over = summary.over_seeds
    return {
        "combination": summary.combination.name,
        **{path: summary.combination.settings[path] for path in paths},
        "seeds": len(summary.results),
        "finished": len(summary.finished),
        metric.name: over.mean,
        f"{metric.name}_half": over.half,
        "seconds": _seconds(summary),
    }


def _runs(
    summaries: Sequence[Summary], metric: Metric, paths: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for summary in summaries:
        for result in summary.results:
            yield {
                "combination": summary.combination.name,
                **{path: summary.combination.settings[path] for path in paths},
                "seed": result.run.seed,
                "state": result.state,
                metric.name: result.score,
                "step": result.step,
                "seconds": result.seconds,
                "workdir": result.run.workdir,
                "error": result.error,
            }

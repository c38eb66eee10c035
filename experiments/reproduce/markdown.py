"""Writes a table as Markdown: how it was made, what the columns mean, and the rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vidjax.run.config import Config

from ..runs.markdown import failures, number, percent
from ..runs.markdown import rows as rows_of
from ..runs.start_log import in_words
from . import budget, contrasts_markdown, tuning
from .contrast_results import ContrastResult, videos_of_their_own
from .plan import Plan
from .statistics import Summary

COLUMNS = (
    "row",
    "top-1 %",
    "timed classes %",
    "training videos %",
    "gap",
    "gap as trained",
    "gap, difference",
    "top-1, difference",
    "timed classes, difference",
    "s per run",
    "seeds",
    "the paper's top-1 %",
)
_MEANING = (
    "Numbers are means over the finished seeds ± half the width of the 95 % Student-t interval. "
    "The interval is wide because there are few seeds; it covers {covered}. *top-1* and *training "
    "videos*: the last checkpoint on the test and on the training videos, with the same views and "
    "without regularisers. *timed classes*: top-1 on the test videos of classes that no single "
    "frame decides, if the data set has such classes. *gap*: accuracy on training videos minus "
    "top-1. *gap as trained*: accuracy on the clips of the last epoch, augmented and with "
    "regularisers, minus top-1, as in figure 3 of the RMS paper. *difference*: the row minus "
    "`{reference}`{others}, seed by seed. *s per run*: wall time with training, compilation and "
    "test. *the paper's*: {source}."
)
_SAME_VIDEOS = "other seeds, not other test videos"
_OWN_VIDEOS = "other seeds and other test videos, because each seed has videos of its own"
_OTHERS = ", or minus the row in the column `against` of `table.csv`"


def render(
    plan: Plan,
    summaries: Mapping[str, Sequence[Summary]],
    contrasts: Sequence[ContrastResult],
    starts: Sequence[Mapping[str, Any]],
) -> str:
    """Returns the text of `table.md`.

    Args:
      plan: plan of the table.
      summaries: rows of each data set.
      contrasts: results of the contrasts.
      starts: start log: date, command, hardware, workers and seconds of each start.
    """
    table = plan.table
    every = [row for each in summaries.values() for row in each]
    meaning = _MEANING.format(
        reference=table.reference,
        covered=_OWN_VIDEOS if videos_of_their_own(contrasts) else _SAME_VIDEOS,
        others=_OTHERS if any(each.row.against for each in every) else "",
        source=table.source,
    )
    parts = [f"# {table.name}, scale {plan.scale}: {table.title}", in_words(starts)]
    parts += [*_left_out(plan), meaning]
    for dataset, rows in summaries.items():
        parts += [
            f"## {dataset}",
            _budget(plan, dataset, rows),
            _rows(rows, timed=bool(table.at(plan.scale)[dataset].timed)),
            *_failures(rows),
        ]
    parts += contrasts_markdown.render(contrasts)
    parts += ["![differences and top-1 of each row](figure.png)"]
    return "\n\n".join(parts) + "\n"


def _rows(rows: Sequence[Summary], *, timed: bool) -> str:
    """Returns the rows; columns of timed classes only if the data set has such classes."""
    shown = [timed or not name.startswith("timed") for name in COLUMNS]
    cells = [list(itertools.compress(_cells(row), shown)) for row in rows]
    return rows_of(list(itertools.compress(COLUMNS, shown)), cells)


def _left_out(plan: Plan) -> list[str]:
    found = budget.read(plan.folder)
    if found is None or all(found.has(run) or budget.done(run) for run in plan.runs):
        return []
    return [f"{found.in_words(plan)}."]


def _budget(plan: Plan, dataset: str, rows: Sequence[Summary]) -> str:
    setup = plan.table.at(plan.scale)[dataset]
    (config, *_) = (run.config for run in plan.runs if run.dataset == dataset)
    finished = [result for row in rows for result in row.finished]
    counts = {(result.train_videos, len(result.correct)) for result in finished}
    videos = "; ".join(f"{train} training and {test} test videos" for train, test in sorted(counts))
    seeds = ", ".join(map(str, setup.seeds))
    counted = videos or "No run has finished"
    tuned = tuning.in_words(setup.tuning, plan.chosen.get(dataset, {}))
    return f"{counted}. {_recipe(config)}; seeds {seeds}. {setup.note} {tuned}".strip()


def _recipe(config: Config) -> str:
    clip, train, rate, views = config.clip, config.train, config.optimizer, config.eval
    options = ", ".join(f"{key} {value}" for key, value in config.model.options.items())
    network = f"{config.model.name} ({options})" if options else config.model.name
    return (
        f"{network}, clips of {clip.frames}x{clip.size}x{clip.size} every "
        f"{clip.stride} frames, batch {train.batch_size}, {train.duration}, learning rate "
        f"{rate.lr:g} ({config.schedule.name}), decay {rate.weight_decay:g}, tested on "
        f"{views.clips} clips x {views.crops} crops"
    )


def _cells(row: Summary) -> Iterator[str]:
    yield row.row.label
    for quantity in ("top1", "timed_top1", "train_top1", "gap", "gap_as_trained"):
        yield percent(row.over_seeds(quantity))
    compared = row.comparison
    yield percent(compared.gap, sign="+") if compared else ""
    yield percent(compared.difference, sign="+") if compared else ""
    yield percent(compared.timed, sign="+") if compared else ""
    yield number(row.over_seeds("seconds").mean, ".0f")
    yield f"{len(row.finished)} of {len(row.results)}"
    yield "" if row.row.paper is None else f"{row.row.paper:.1f}"


def _failures(rows: Sequence[Summary]) -> list[str]:
    lost = [result for row in rows for result in row.results if result.state != "finished"]
    begun = [result for result in lost if result.state != "not started"]
    others = [f"`{result.run.name}`" for result in lost if result.state == "not started"]
    text = failures((result.run.name, result.state, result.error) for result in begun)
    return [*text, *([f"Not started: {', '.join(others)}."] if others else [])]

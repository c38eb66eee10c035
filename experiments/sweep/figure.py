"""Draws a sweep: the score against each setting, with one line per combination of the others."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from ..runs import seed_plot
from .axes import short_names
from .metric import Metric
from .results import Summary

# Number of lines with a colour and a name; the best ones get them.
_LINES = 8
_PANELS_A_ROW = 3
# Ratio of the largest to the smallest value above which the axis is logarithmic.
_FAR = 8
_OTHERS = "0.8"


def draw(file: Path, summaries: Sequence[Summary], metric: Metric, paths: Sequence[str]) -> None:
    """Draws a panel for each setting that has several values.

    Args:
      file: PNG to write.
      summaries: the combinations, best first.
      metric: the metric that ranks them.
      paths: paths of the settings.
    """
    from matplotlib.figure import Figure

    varied = [path for path in paths if len(_places(summaries, path)) > 1] or paths[:1]
    across = min(_PANELS_A_ROW, len(varied))
    down = math.ceil(len(varied) / across)
    figure = Figure(figsize=(1.5 + 4.5 * across, 0.8 + 3.6 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, path in zip(panels, varied, strict=False):
        _panel(axes, summaries, metric, path, [other for other in varied if other != path])
    for axes in panels[len(varied) :]:
        axes.axis("off")
    figure.suptitle("mean over seeds, 95 % interval; dots are seeds")
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _panel(
    axes: Any, summaries: Sequence[Summary], metric: Metric, path: str, others: Sequence[str]
) -> None:
    places = _places(summaries, path)
    lines = _lines(summaries, others)
    # Marks of several lines are side by side, and the best line is in front.
    shift = 0 if _are_trials(summaries) else min(0.1, 0.6 / len(lines))
    for number, (name, members) in reversed([*enumerate(lines.items())]):
        color = f"C{number}" if number < _LINES else _OTHERS
        aside = shift * (number - (len(lines) - 1) / 2)
        known = sorted(
            ((places[member.combination.settings[path]] + aside, member) for member in members),
            key=lambda each: each[0],
        )
        for place, member in known:
            seed_plot.draw(
                axes,
                place,
                member.over_seeds,
                member.scores,
                upright=True,
                color=color,
                dots=color,
                scale=metric.scale,
            )
        means = [metric.scale * member.over_seeds.mean for _, member in known]
        label = figure_text(name) if name and number < _LINES else None
        axes.plot([place for place, _ in known], means, "-", color=color, alpha=0.7, label=label)
    _label(axes, summaries, metric, path, places)
    if any(lines) and len(lines) > 1 and not _are_trials(summaries):
        handles, names = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], names[::-1], fontsize="small")


def _label(
    axes: Any,
    summaries: Sequence[Summary],
    metric: Metric,
    path: str,
    places: Mapping[str, float],
) -> None:
    numbers = _numbers(summaries, path)
    if not (_are_trials(summaries) and numbers):
        axes.set_xticks(list(places.values()), [figure_text(text, 24) for text in places])
        axes.set_xlim(-0.5, len(places) - 0.5)
    elif max(numbers.values()) > _FAR * min(numbers.values()) > 0:
        axes.set_xscale("log")
    if metric.scale != 1:
        # The interval of few seeds may be wider than 0 to 100 %.
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -3), min(high, 103))
    axes.set_xlabel(figure_text(path))
    axes.set_ylabel(metric.label)
    axes.grid(alpha=0.3)


def _are_trials(summaries: Sequence[Summary]) -> bool:
    """Returns whether Optuna chose the combinations, which then share no values."""
    return any(summary.combination.label for summary in summaries)


def _lines(summaries: Sequence[Summary], others: Sequence[str]) -> Mapping[str, list[Summary]]:
    """Groups combinations that differ in one setting, by the other settings; best line first."""
    if _are_trials(summaries):
        return {summary.combination.label: [summary] for summary in summaries}
    short = short_names(others)
    found: dict[str, list[Summary]] = {}
    for summary in summaries:
        settings = summary.combination.settings
        name = ", ".join(f"{short[path]}={settings[path]}" for path in others)
        found.setdefault(name, []).append(summary)
    return found


def _places(summaries: Sequence[Summary], path: str) -> dict[str, float]:
    """Returns the place of each value: side by side in order, or the number itself for trials."""
    numbers = _numbers(summaries, path)
    if _are_trials(summaries) and numbers:
        return numbers
    texts = {summary.combination.settings[path] for summary in summaries}
    rising = sorted(texts, key=lambda text: (numbers.get(text, _leading(text)), text))
    return {text: float(place) for place, text in enumerate(rising)}


def _numbers(summaries: Sequence[Summary], path: str) -> dict[str, float]:
    """Returns the values as numbers; empty if not all of them are numbers."""
    values = {
        summary.combination.settings[path]: summary.combination.value(path) for summary in summaries
    }
    plain = all(isinstance(value, (int, float)) for value in values.values())
    return {text: float(value) for text, value in values.items()} if plain else {}


def _leading(text: str) -> float:
    """Returns the number at the start of a text such as `20 epochs`, or infinity."""
    found = re.match(r"\d+(?:\.\d+)?", text)
    return float(found[0]) if found else math.inf

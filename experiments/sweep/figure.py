"""A sweep as a picture: the score against each varied setting, a line for the other settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.names import lettering
from vidjax.writing import writing_bytes

from ..runs import points
from .axes import short_names
from .metric import Metric
from .results import Summary

# Lines that get a colour and a name; of more, the best ones.
_LINES = 8
_PANELS_A_ROW = 3
# Values that are further apart than this, as a quotient, are drawn on a logarithmic axis.
_FAR = 8
_OTHERS = "0.8"


def draw(file: Path, summaries: Sequence[Summary], metric: Metric, paths: Sequence[str]) -> None:
    """Draws a panel for each setting that has several values.

    Args:
      file: PNG to write.
      summaries: the combinations, the best first.
      metric: that ranks them.
      paths: of the settings.
    """
    from matplotlib.figure import Figure

    varied = [path for path in paths if len(_places(summaries, path)[0]) > 1] or paths[:1]
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
    places, ticks = _places(summaries, path)
    lines = _lines(summaries, others)
    for number, (name, members) in reversed([*enumerate(lines.items())]):
        color = f"C{number}" if number < _LINES else _OTHERS
        known = sorted(
            ((places[member.combination.settings[path]], member) for member in members),
            key=lambda each: each[0],
        )
        for place, member in known:
            over = member.over_seeds
            points.draw(
                axes, place, over, member.scores, upright=True, color=color, scale=metric.scale
            )
        means = [metric.scale * member.over_seeds.mean for _, member in known]
        label = lettering(name) if name and number < _LINES else None
        axes.plot([place for place, _ in known], means, "-", color=color, alpha=0.7, label=label)
    if ticks:
        axes.set_xticks(range(len(ticks)), [lettering(text, 24) for text in ticks])
    elif max(places.values()) > _FAR * min(places.values()) > 0:
        axes.set_xscale("log")
    axes.set_xlabel(lettering(path))
    axes.set_ylabel(metric.label)
    axes.grid(alpha=0.3)
    if any(lines) and len(lines) > 1:
        handles, names = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], names[::-1], fontsize="small")


def _lines(summaries: Sequence[Summary], others: Sequence[str]) -> Mapping[str, list[Summary]]:
    """Combinations that differ in one setting alone, by the others; the best line first."""
    if any(summary.combination.label for summary in summaries):
        # Trials of a search share no values: each is a point by itself.
        return {f"\0{number}": [summary] for number, summary in enumerate(summaries)}
    short = short_names(others)
    found: dict[str, list[Summary]] = {}
    for summary in summaries:
        settings = summary.combination.settings
        name = ", ".join(f"{short[path]}={settings[path]}" for path in others)
        found.setdefault(name, []).append(summary)
    return found


def _places(summaries: Sequence[Summary], path: str) -> tuple[dict[str, float], list[str]]:
    """Where each value stands, and the names of the places; none where values are numbers."""
    values = {
        summary.combination.settings[path]: summary.combination.value(path) for summary in summaries
    }
    if all(isinstance(value, (int, float)) for value in values.values()):
        numbers = {text: float(value) for text, value in values.items()}
        return numbers, []
    names = sorted(values)
    return {name: float(place) for place, name in enumerate(names)}, names

"""Tables and plots of the metrics of saliency maps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vidjax.explain.map_metrics_tables import CostRow, MetricRow
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Titles = Mapping[str, str]
# The metrics that are shown, with their titles and factors.
_SHOWN = {
    "pointing": ("pointing %", 100),
    "energy": ("energy %", 100),
    "deletion": ("deletion", 1),
    "insertion": ("insertion", 1),
}


def metric_table(rows: Sequence[MetricRow], costs: Sequence[CostRow], titles: Titles) -> str:
    """Returns a Markdown table of each network's metrics.

    Args:
      rows: means.
      costs: costs of the maps.
      titles: titles of the maps.
    """
    parts = []
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        parts.append("\n".join(_table(own, [c for c in costs if c.network == network], titles)))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[MetricRow], costs: Sequence[CostRow], titles: Titles) -> Iterator[str]:
    found = {(row.map, row.quantity): row for row in rows}
    shown = [name for name in _SHOWN if any(row.quantity == name for row in rows)]
    areas = [row.mean for row in rows if row.quantity == "area"]
    yield (
        f"{rows[0].network}: {rows[0].videos} videos, {rows[0].seeds} trained network(s)"
        + (f"; masks cover {100 * areas[0]:.1f} % of a clip." if areas else ".")
    )
    yield ""
    names = [_SHOWN[name][0] for name in shown]
    yield "| " + " | ".join(["map", *names, "passes", "seconds", "cells"]) + " |"
    yield "|---|" + "---:|" * (len(names) + 2) + "---|"
    for cost in costs:
        cells = [_cell(found[cost.map, name], _SHOWN[name][1]) for name in shown]
        end = [f"{cost.passes:.4g}", f"{cost.seconds:.2g}", cost.cells]
        yield "| " + " | ".join([titles.get(cost.map, cost.map), *cells, *end]) + " |"


def _cell(row: MetricRow, factor: float) -> str:
    places = 1 if factor == 100 else 3
    parts = [row.mean, row.half, row.seeds_half]
    known = (f"{factor * part:.{places}f}" for part in parts if not math.isnan(part))
    return " ± ".join(known)


def draw_metrics(rows: Sequence[MetricRow], titles: Titles) -> Figure:
    """Plots one panel per metric: the mean of each map, with intervals over videos.

    Args:
      rows: means.
      titles: titles of the maps.
    """
    from matplotlib.figure import Figure

    shown = [name for name in _SHOWN if any(row.quantity == name for row in rows)]
    networks = list(dict.fromkeys(row.network for row in rows))
    maps = list(dict.fromkeys(row.map for row in rows))
    figure = Figure(figsize=(3 + 2.4 * len(shown), 1.3 + 0.27 * len(maps)), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, shown, strict=True):
        factor = _SHOWN[name][1]
        for number, network in enumerate(networks):
            own = [row for row in rows if (row.network, row.quantity) == (network, name)]
            shift = 0.5 * ((number + 0.5) / len(networks) - 0.5)
            places = [maps.index(row.map) + shift for row in own]
            means, halves = (
                [factor * n for n in ns]
                for ns in zip(*((row.mean, row.half) for row in own), strict=True)
            )
            axes.errorbar(
                means,
                places,
                xerr=halves,
                fmt="o",
                markersize=4,
                linewidth=1,
                color=f"C{number % 10}",
                label=figure_text(network),
            )
            _chance(axes, rows, network, name, f"C{number % 10}")
        better = "lower is better" if name == "deletion" else "higher is better"
        axes.set_xlabel(f"{_SHOWN[name][0]}\n({better})")
        # With few videos, an interval may exceed the possible range.
        right = min(axes.get_xlim()[1], factor)
        axes.set_xlim(-0.02 * right, right)
        axes.grid(axis="y", linewidth=0.3)
    panels[0].set_yticks(range(len(maps)), [figure_text(titles.get(own, own)) for own in maps])
    panels[0].invert_yaxis()
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=min(4, len(networks)),
        fontsize=9,
        frameon=False,
    )
    return figure


def _chance(axes: Axes, rows: Sequence[MetricRow], network: str, name: str, colour: str) -> None:
    """Draws a line at the score of a map without knowledge."""
    kind = "area" if name in ("pointing", "energy") else name
    found = [row for row in rows if (row.network, row.quantity) == (network, kind)]
    if kind == name:
        found = [row for row in found if row.map == "random"]
    if found:
        level = found[0].mean * _SHOWN[name][1]
        axes.axvline(level, color=colour, linestyle="--", linewidth=0.8)

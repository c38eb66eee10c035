"""Plots deletion and insertion curves, one line per map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidjax.explain.map_line_styles import style_of
from vidjax.explain.map_metrics_report import Titles
from vidjax.explain.map_metrics_tables import CurveRow
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(rows: Sequence[CurveRow], titles: Titles) -> Figure:
    """Plots deletion and insertion of each network, one line per map, the best first in the legend.

    Args:
      rows: points.
      titles: titles of the maps.
    """
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row.network for row in rows))
    figure = Figure(figsize=(12, 0.6 + 4 * len(networks)), layout="constrained")
    panels = figure.subplots(len(networks), 2, squeeze=False)
    maps = list(dict.fromkeys(row.map for row in rows))
    for network, pair in zip(networks, panels, strict=True):
        for axes, name in zip(pair, ("deletion", "insertion"), strict=True):
            own = [row for row in rows if (row.network, row.quantity) == (network, name)]
            lines = {kind: [row for row in own if row.map == kind] for kind in maps}
            lines = {kind: points for kind, points in lines.items() if points}
            order = sorted(lines, key=lambda kind: sum(row.mean for row in lines[kind]))
            for kind in order if name == "deletion" else reversed(order):
                points = lines[kind]
                axes.plot(
                    [100 * row.share for row in points],
                    [row.mean for row in points],
                    label=figure_text(titles.get(kind, kind)),
                    **style_of(maps.index(kind), kind),
                )
            what = "blanked" if name == "deletion" else "shown"
            axes.set_xlabel(f"share of the clip that is {what}, largest values first (%)")
            axes.set_ylabel("probability of the class")
            axes.set_title(f"{figure_text(network)}: {name}", fontsize=10)
            axes.set_xlim(0, 100)
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure

"""Plots how maps change when the network is randomised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidjax.explain.map_line_styles import style_of
from vidjax.explain.map_metrics_report import Titles
from vidjax.explain.sanity_table import SanityRow
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_sanity(rows: Sequence[SanityRow], titles: Titles) -> Figure:
    """Plots rank correlation and SSIM between maps of the trained network and of randomised ones.

    Args:
      rows: means.
      titles: titles of the maps.
    """
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row.network for row in rows))
    maps = list(dict.fromkeys(row.map for row in rows))
    figure = Figure(figsize=(12, 0.6 + 4.4 * len(networks)), layout="constrained")
    panels = figure.subplots(len(networks), 2, squeeze=False)
    for network, pair in zip(networks, panels, strict=True):
        own = [row for row in rows if row.network == network]
        others = dict(sorted({row.place: row.other for row in own}.items()))
        places, checks = list(others), list(dict.fromkeys(row.check for row in own))
        for axes, name in zip(pair, ("correlation", "similarity"), strict=True):
            for kind in dict.fromkeys(row.map for row in own):
                style = style_of(maps.index(kind), kind)
                for check in dict.fromkeys(row.check for row in own):
                    points = [row for row in own if (row.map, row.check) == (kind, check)]
                    axes.plot(
                        [places.index(row.place) for row in points],
                        [getattr(row, name) for row in points],
                        marker=".",
                        label=figure_text(titles.get(kind, kind)) if check == checks[0] else None,
                        **style,
                    )
            axes.axhline(0, color="0.5", linewidth=0.5)
            axes.set_xticks(
                range(len(others)),
                map(figure_text, others.values()),
                rotation=40,
                ha="right",
                fontsize=8,
            )
            axes.set_ylabel({"correlation": "rank correlation", "similarity": "SSIM"}[name])
        pair[0].set_title(
            f"{figure_text(network)}: maps of the trained network compared with maps after "
            "randomising it down to the named module",
            fontsize=10,
            loc="left",
        )
        pair[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure

"""The measurements of `truth` as a table and as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vidjax.explain.sanity_rows import SanityRow
from vidjax.explain.truth_measured import CostRow, CurveRow, TruthRow
from vidjax.names import lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Titles = Mapping[str, str]
# What is drawn and tabulated, how it is written, and by what it is multiplied for that.
_SHOWN = {
    "pointing": ("pointing %", 100),
    "energy": ("energy %", 100),
    "deletion": ("deletion", 1),
    "insertion": ("insertion", 1),
}
_STYLES = ("-", "--", ":")


def truth_table(rows: Sequence[TruthRow], costs: Sequence[CostRow], titles: Titles) -> str:
    """The table of each network, as Markdown.

    Args:
      rows: means.
      costs: of the maps.
      titles: how maps are written.
    """
    parts = []
    for network in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == network]
        parts.append("\n".join(_table(own, [c for c in costs if c.network == network], titles)))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[TruthRow], costs: Sequence[CostRow], titles: Titles) -> Iterator[str]:
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


def _cell(row: TruthRow, factor: float) -> str:
    places = 1 if factor == 100 else 3
    parts = [row.mean, row.half, row.seeds_half]
    known = (f"{factor * part:.{places}f}" for part in parts if not math.isnan(part))
    return " ± ".join(known)


def draw_truth(rows: Sequence[TruthRow], titles: Titles) -> Figure:
    """A panel for each quantity: the mean of each map, with intervals over videos.

    Args:
      rows: means.
      titles: how maps are written.
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
                label=lettering(network),
            )
            _chance(axes, rows, network, name, f"C{number % 10}")
        right = "higher is better" if name != "deletion" else "lower is better"
        axes.set_xlabel(f"{_SHOWN[name][0]}\n({right})")
        axes.set_xlim(left=0)
        axes.grid(axis="y", linewidth=0.3)
    panels[0].set_yticks(range(len(maps)), [lettering(titles.get(own, own)) for own in maps])
    panels[0].invert_yaxis()
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=min(4, len(networks)),
        fontsize=9,
        frameon=False,
    )
    return figure


def _chance(axes: Axes, rows: Sequence[TruthRow], network: str, name: str, colour: str) -> None:
    """A line where a map without knowledge is."""
    kind = "area" if name in ("pointing", "energy") else name
    found = [row for row in rows if (row.network, row.quantity) == (network, kind)]
    if kind == name:
        found = [row for row in found if row.map == "random"]
    if found:
        level = found[0].mean * _SHOWN[name][1]
        axes.axvline(level, color=colour, linestyle="--", linewidth=0.8)


def draw_curves(rows: Sequence[CurveRow], titles: Titles) -> Figure:
    """Deletion and insertion of each network, a line a map, the best ones first in the legend.

    Args:
      rows: points.
      titles: how maps are written.
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
                    label=lettering(titles.get(kind, kind)),
                    **_style(maps.index(kind), kind),
                )
            what = "blanked, the largest values first" if name == "deletion" else "shown"
            axes.set_xlabel(f"% of the clip that is {what}")
            axes.set_ylabel("probability of the class")
            axes.set_title(f"{lettering(network)}: {name}", fontsize=10)
            axes.set_xlim(0, 100)
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def draw_sanity(rows: Sequence[SanityRow], titles: Titles) -> Figure:
    """Rank correlation and SSIM of maps with those of networks that know less and less.

    Args:
      rows: means.
      titles: how maps are written.
    """
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row.network for row in rows))
    maps = list(dict.fromkeys(row.map for row in rows))
    figure = Figure(figsize=(12, 0.6 + 4.4 * len(networks)), layout="constrained")
    panels = figure.subplots(len(networks), 2, squeeze=False)
    for network, pair in zip(networks, panels, strict=True):
        own = [row for row in rows if row.network == network]
        others = dict(sorted({row.place: row.other for row in own}.items()))
        for axes, name in zip(pair, ("correlation", "similarity"), strict=True):
            for kind in dict.fromkeys(row.map for row in own):
                points = {row.place: getattr(row, name) for row in own if row.map == kind}
                ys = [points.get(place, math.nan) for place in others]
                axes.plot(
                    range(len(others)),
                    ys,
                    marker=".",
                    label=lettering(titles.get(kind, kind)),
                    **_style(maps.index(kind), kind),
                )
            axes.axhline(0, color="0.5", linewidth=0.5)
            axes.set_xticks(
                range(len(others)),
                map(lettering, others.values()),
                rotation=40,
                ha="right",
                fontsize=8,
            )
            axes.set_ylabel({"correlation": "rank correlation", "similarity": "SSIM"}[name])
        pair[0].set_title(
            f"{lettering(network)}: maps of the trained network beside those of one "
            "that is random down to the part named",
            fontsize=10,
            loc="left",
        )
        pair[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def _style(place: int, kind: str) -> dict[str, Any]:
    if kind in ("random", "centre", "movement"):
        dashes = {"random": "-", "centre": "--", "movement": ":"}
        return {"color": "0.55", "linestyle": dashes[kind], "linewidth": 2}
    return {"color": f"C{place % 10}", "linestyle": _STYLES[place // 10 % 3], "linewidth": 1.3}

"""Compares networks by a number that each of their seeds has: cells of a table, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidjax.untrusted_names import figure_text

from ..runs import seed_plot
from ..runs.markdown import number, percent
from ..runs.seed_statistics import paired_p
from ..runs.statistics import interval

ByNetwork = Mapping[str, Mapping[int, float]]


def cells(values: ByNetwork, network: str) -> list[str]:
    """Formats a network's mean, its difference from the first network, and the difference's p.

    Both are percentages with the 95 % Student-t interval over seeds. The difference and p are those
    of the paired t-test over common seeds, and dashes for the first network.

    Args:
      values: a fraction for each seed of each network.
      network: name of the network.
    """
    own, first = values[network], next(iter(values.values()))
    mean = percent(interval(list(own.values())), sign="+")
    if own is first:
        return [mean, "–", "–"]
    differences = [own[seed] - first[seed] for seed in own if seed in first]
    return [mean, percent(interval(differences), sign="+"), number(paired_p(differences), ".2g")]


def draw(axes: Any, values: ByNetwork) -> None:
    """Plots each network's mean with its interval, and a dot for each seed, in percent.

    Args:
      axes: Matplotlib axes.
      values: a fraction for each seed of each network; networks go from top to bottom.
    """
    axes.axvline(0, color="0.85", zorder=0)
    for place, own in enumerate(values.values()):
        single = list(own.values())
        over, color = interval(single), f"C{place}"
        seed_plot.draw(axes, place, over, single, upright=False, color=color, aside=0.15)
    axes.set_yticks(range(len(values)), [figure_text(name) for name in values])
    axes.invert_yaxis()

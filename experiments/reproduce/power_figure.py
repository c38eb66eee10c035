"""Plots the difference that a plan can detect over the number of seeds, by number of videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from .contrast_results import ContrastResult
from .power import detectable
from .variance_components import Components

_SEEDS = range(2, 21)
_VIDEOS = (200, 500, 2000, 10_000)
_TICKS = (0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)


def measurable(contrasts: Sequence[ContrastResult]) -> ContrastResult | None:
    """Returns the first contrast with known variances: with two finished seeds and two videos."""
    return next((each for each in contrasts if each.variances), None)


def draw(file: Path, found: ContrastResult) -> None:
    """Draws the curves.

    Args:
      file: PNG file to write.
      found: a contrast with two or more finished seeds; the number of seeds of its plan is marked.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    variances, videos = _variances(found), found.test_videos
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    # A curve that would lie on the plan's own is left out.
    others = [*(count for count in _VIDEOS if not 0.8 < count / videos < 1.25), math.inf]
    for number, count in enumerate(sorted([*(others if found.same_videos else ()), videos])):
        points = [100 * detectable(variances, seeds, count) for seeds in _SEEDS]
        label = "any number of videos" if math.isinf(count) else f"{count:,.0f} videos"
        width = 2.5 if count == videos else 1.2
        axes.plot(_SEEDS, points, label=label, color=f"C{number}", linewidth=width)
    own = 100 * detectable(variances, found.planned, videos)
    axes.plot(found.planned, own, "o", color="black", markersize=9)
    # Falling curves leave this corner free.
    axes.annotate(
        f"this plan:\n{own:.1f} points",
        (found.planned, own),
        xytext=(0.03, 0.05),
        textcoords="axes fraction",
        arrowprops={"arrowstyle": "-", "linewidth": 0.8, "shrinkB": 4},
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(_TICKS))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks([2, 5, 10, 15, 20])
    axes.set_xlabel("seeds")
    axes.set_ylabel("difference in points that is found with 80 %")
    axes.set_title(figure_text(f"{found.contrast.name}; {_in_words(variances)}", 200), fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(title="test videos", fontsize="small")
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def sentence(found: ContrastResult) -> str:
    """Describes the difference that the plan can detect."""
    variances, videos = _variances(found), found.test_videos
    own = 100 * detectable(variances, found.planned, videos)
    return (
        f"With {found.planned} seeds and {videos} test videos the plan finds a difference of "
        f"{own:.1f} points with a chance of 80 % at p < 0.05 ({_in_words(variances)}, from "
        f"{len(found.seeds)} finished seeds of {found.contrast.name})."
    )


def _variances(found: ContrastResult) -> Components:
    assert found.variances
    return found.variances


def _in_words(variances: Components) -> str:
    return f"standard deviation between seeds {100 * variances.seeds**0.5:.1f} points"

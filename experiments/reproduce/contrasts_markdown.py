"""Writes the contrasts of a table as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..runs.markdown import number, percent, rows
from . import power_figure
from .contrast_results import ContrastResult, videos_of_their_own
from .contrasts import METRICS

POWER = "power.png"
COLUMNS = (
    "contrast",
    "data set",
    "metric",
    "difference",
    "over seeds and videos",
    "p",
    "p, Holm",
    "seeds",
    "seeds with McNemar p < 0.05",
)
_MEANING = (
    "The contrasts were in `plan.json` before the first run started. The unit is the seed: "
    "*difference* is the mean over seeds of the row minus its reference, with the 95 % interval of "
    "the paired Student-t test over seeds, and *p* is the p-value of that test. *over seeds and "
    "videos* is half the width of the interval of a mixed model with both, for other seeds and "
    "other test videos. {corrected} McNemar's test is made for each seed alone; `runs.csv` has its "
    "counts and p-values."
)
_PRIMARY = (
    "The primary contrast is in bold, and its p-value is taken as it is; *p, Holm* corrects those "
    "of the other {others} contrasts together."
)
_OWN_VIDEOS = (
    " Each seed has test videos of its own, so the interval over seeds is for other videos as well."
)
_NO_PRIMARY = "No contrast is primary; *p, Holm* corrects the p-values of all {others} together."


def render(contrasts: Sequence[ContrastResult]) -> list[str]:
    """Returns the parts of the section; none without contrasts."""
    if not contrasts:
        return []
    others = sum(not each.primary for each in contrasts)
    text = _NO_PRIMARY if others == len(contrasts) else _PRIMARY
    meaning = _MEANING.format(corrected=text.format(others=others))
    if videos_of_their_own(contrasts):
        meaning += _OWN_VIDEOS
    parts = ["## Contrasts", meaning, rows(COLUMNS, [list(_cells(each)) for each in contrasts])]
    if known := power_figure.measurable(contrasts):
        parts += [power_figure.sentence(known), f"![which difference can be seen]({POWER})"]
    return parts


def _cells(found: ContrastResult) -> Iterator[str]:
    contrast = found.contrast
    name = f"{contrast.row} - {contrast.reference}"
    yield f"**{name}**" if found.primary else name
    yield contrast.dataset
    yield METRICS[contrast.metric]
    yield percent(found.over_seeds, sign="+")
    half = number(100 * found.over_videos.half, ".1f")
    yield half if half == "–" else f"± {half}"
    yield number(found.p, ".2g")
    yield "" if found.primary else number(found.corrected, ".2g")
    yield str(len(found.seeds))
    small = sum(test.p_value < 0.05 for test in found.tests)
    yield f"{small} of {len(found.tests)}" if found.tests else "–"

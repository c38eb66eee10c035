"""MTNets that choose frames, against strided and pooled frames and against one branch.

The network keeps all frames of a clip (`mtnet_keep_time`); the stem selects none in any row. Rows
of one branch (delta = 1) come in three widths: that of the others, and those that cost as much as
delta = 7/8 and 1/2. The primary contrast is about the classes that no single frame decides: frames
chosen by their redundancy, against frames at equal distances.
"""

from typing import Any

from .. import evidence_scale, mtnet_keep_time
from ..contrasts import Contrast, contrasts
from ..table import Row, Table

_FRAMES: dict[str, dict[str, Any]] = {
    "selected": {},
    "strided": {"choose": "strided"},
    "pooled": {"frames": "pooled"},
}
_SHARES = {"7_8": 7 / 8, "1_2": 1 / 2}
_METHODS: dict[str, dict[str, Any]] = {
    "one": {"delta": 1.0},
    "one_narrow": {"delta": 1.0, "width": 11},
    "one_narrowest": {"delta": 1.0, "width": 7},
    **{
        f"{frames}_{share}": {"delta": delta, **options}
        for share, delta in _SHARES.items()
        for frames, options in _FRAMES.items()
    },
}
_ROWS = (
    Row("one", "delta = 1", 82.2),
    Row("one_narrow", "delta = 1, same cost as 7/8"),
    Row("one_narrowest", "delta = 1, same cost as 1/2"),
    Row("selected_7_8", "delta = 7/8, chosen frames", 83.4),
    Row("strided_7_8", "delta = 7/8, strided frames"),
    Row("pooled_7_8", "delta = 7/8, pooled frames", 80.7),
    Row("selected_1_2", "delta = 1/2, chosen frames", 79.7),
    Row("strided_1_2", "delta = 1/2, strided frames"),
    Row("pooled_1_2", "delta = 1/2, pooled frames"),
)
# Estimated: a step takes one core 61 ms with two branches, and 39 with one.
_SETUPS = mtnet_keep_time.setups(_METHODS, minutes=85)

TABLE = Table(
    name="evidence.mtnet",
    title="MTNets that choose frames",
    source="MTNet_M on HACS, thesis, tables 5.6 and 5.8",
    rows=_ROWS,
    reference="one",
    setups={
        "smoke": evidence_scale.smoke_of(
            _SETUPS, of_row={"one_narrow": {"width": 3}, "one_narrowest": {"width": 2}}
        ),
        "small": _SETUPS,
    },
    primary=Contrast("selected_7_8", "strided_7_8", "marionette", "timed_top1"),
    contrasts=(
        Contrast("selected_7_8", "pooled_7_8", "marionette", "timed_top1"),
        Contrast("selected_1_2", "strided_1_2", "marionette", "timed_top1"),
        Contrast("selected_1_2", "pooled_1_2", "marionette", "timed_top1"),
        Contrast("selected_7_8", "one_narrow", "marionette", "timed_top1"),
        Contrast("selected_1_2", "one_narrowest", "marionette", "timed_top1"),
        *contrasts([row.name for row in _ROWS], "one", ["marionette"], "top1"),
    ),
)

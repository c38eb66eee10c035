"""Multi-temporal convolutions against 3D ones of the same and of more operations.

The network is the r3d_50_e1 of table 5.2 at scale `small`, without `zero_init`, as in the thesis.
MTConvs replace the 3x3x3 convolutions of its bottlenecks and cost less. So the row `narrow` is the
3D network with fewer channels and the same cost. The primary contrast is about the classes that no
single frame decides, because MTConvs are about time.
"""

from typing import Any

from ml_collections import ConfigDict

from .. import evidence_scale, small_scale
from ..contrasts import Contrast, contrasts
from ..table import Row, Table, Tuning

_OPTIONS: dict[str, Any] = {"width": 16, "depths": (1, 1, 1, 1), "zero_init": False}
_METHODS: dict[str, dict[str, Any]] = {
    "r3d": {},
    "narrow": {"width": 15},
    "mtconv": {"multi_temporal": {}},
    "mtconv_all": {"multi_temporal": {"split_input": False}},
}
_ROWS = (
    Row("r3d", "3D", 61.3),
    Row("narrow", "3D, narrow"),
    Row("mtconv", "MTConv", 74.8),
    Row("mtconv_all", "MTConv, all channels into both branches"),
)
_EPOCHS = "30 epochs"
_TUNING = Tuning((0.001, 0.003, 0.01), (_EPOCHS,))
_SEEDS = 5
_NOTE = (
    "The row `narrow` costs as much as MTConvs. The last row takes equation 5.2 literally, where "
    "both branches see all channels. A test has one clip instead of three: 12 frames at stride 3 "
    "are nearly a whole video."
)


def _configure(row: str) -> ConfigDict:
    config = small_scale.temporal("r3d_50_e1", _OPTIONS | _METHODS[row], rate=0.003)
    config.eval.clips = 1
    config.train.duration = _EPOCHS
    return config


# Estimated: one core trains 250 clips a second.
_MINUTES = 25
_SETUPS = {
    "marionette": evidence_scale.marionette(
        _configure, _SEEDS, _NOTE, tuning=_TUNING, minutes=_MINUTES
    )
}

TABLE = Table(
    name="evidence.mtconv",
    title="Multi-temporal convolutions at equal operations",
    source="r3d-50 on Kinetics-400, thesis, table 5.2",
    rows=_ROWS,
    reference="r3d",
    setups={
        "smoke": evidence_scale.smoke_of(_SETUPS, of_row={"narrow": {"width": 3}}),
        "small": _SETUPS,
    },
    primary=Contrast("mtconv", "narrow", "marionette", "timed_top1"),
    contrasts=(
        Contrast("mtconv", "narrow", "marionette"),
        Contrast("mtconv_all", "mtconv", "marionette", "timed_top1"),
        *contrasts([row.name for row in _ROWS], "r3d", ["marionette"], "top1", "timed_top1"),
    ),
)

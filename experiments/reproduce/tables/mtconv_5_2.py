"""Multi-temporal convolutions against 3D ones: table 5.2 of the thesis, and at equal operations.

`small` is r3d_50_e1 with one block a stage and a quarter of the width, in whose bottlenecks the
3x3x3 convolution is replaced. MTConvs cost less; `narrow` is the 3D network with fewer channels,
which costs as much as they do.
"""

from typing import Any

from ml_collections import ConfigDict

from vidjax.configs import mtconv

from .. import budget
from ..table import Row, Setup, Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "zero_init": True}
_NOTE = "The rate is that of table 4.1, the length was chosen on the 3D network, with seed 100."
_ROWS: dict[str, dict[str, Any]] = {
    "r3d": {},
    "narrow": {"width": 15},
    "mtconv": {"multi_temporal": {}},
    "mtconv_all": {"multi_temporal": {"split_input": False}},
}


def _small(row: str) -> ConfigDict:
    return budget.temporal("r3d_50_e1", _OPTIONS | _ROWS[row], rate=0.003)


def _paper(row: str) -> ConfigDict:
    config = mtconv.get_config("row=r3d")
    # 58 of 64 channels: 22.2 billion multiply-adds a clip; MTConvs have 22.1.
    config.model.options.update({"width": 58} if row == "narrow" else _ROWS[row])
    return config


TABLE = Table(
    name="5.2",
    title="Multi-temporal convolutions in the place of 3D ones",
    source="r3d-50 on Kinetics-400, thesis, table 5.2",
    rows=(
        Row("r3d", "3D", 61.3),
        Row("narrow", "3D, fewer channels"),
        Row("mtconv", "MTConv", 74.8),
        Row("mtconv_all", "MTConv, all channels into both branches"),
    ),
    reference="r3d",
    setups={
        "smoke": {"marionette": budget.smoke(_small)},
        "small": {"marionette": budget.marionette(_small, "12 epochs", _NOTE)},
        "paper": {"kinetics400": Setup(_paper, budget.SEEDS)},
    },
)

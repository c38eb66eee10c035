"""Multi-temporal convolutions against 3D ones: table 5.2 of the thesis, and at equal operations.

At scale `small` the network is r3d_50_e1 with one block per stage and a quarter of the width;
MTConvs replace the 3x3x3 convolutions of its bottlenecks. MTConvs cost less, so the row `narrow` is
the 3D network with fewer channels and the same cost.
"""

from typing import Any

from ml_collections import ConfigDict

from .. import small_scale
from ..paper_row import Network, PaperRow
from ..paper_scale import paper_setups
from ..table import Row, Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "zero_init": True}
_NOTE = "Learning rate as in table 4.1; epochs were chosen on the 3D network, with seed 100."
_ROWS: dict[str, dict[str, Any]] = {
    "r3d": {},
    "narrow": {"width": 15},
    "mtconv": {"multi_temporal": {}},
    "mtconv_all": {"multi_temporal": {"split_input": False}},
}


def _small(row: str) -> ConfigDict:
    return small_scale.temporal("r3d_50_e1", _OPTIONS | _ROWS[row], rate=0.003)


_MTCONV: dict[str, Any] = {"multi_temporal": {}}
_ALL_CHANNELS: dict[str, Any] = {"multi_temporal": {"split_input": False}}
# Arguments of `configs/mtconv.py` for rows that have another name there.
_ARGUMENTS = {"narrow": "r3d", "mtconv_all": "mtconv,split_input=false"}
# Channels instead of 64: 22.2 billion multiply-adds per clip; MTConvs have 22.1.
_NARROW = 58
_TWICE = "two operations per multiply-add"


def _printed(row: str, label: str, network: Network, **more: Any) -> PaperRow:
    """Returns a row of the thesis, which `configs/mtconv.py` trains."""
    return PaperRow(
        label,
        name=row,
        network=network,
        config=f"mtconv:row={_ARGUMENTS.get(row, row)}",
        changes={"model.options.width": _NARROW} if row == "narrow" else {},
        dataset="kinetics400",
        **more,
    )


_PRINTED = (
    _printed(
        "r3d",
        "3D",
        Network("r3d_50_e1", 16, 224),
        top1=61.3,
        top5=83.1,
        operations=53.2,
        params=36.7,
        why=_TWICE,
    ),
    _printed("narrow", "3D, fewer channels", Network("r3d_50_e1", 16, 224, {"width": _NARROW})),
    _printed(
        "r2plus1d",
        "(2+1)D",
        Network("r2plus1d_50_e1", 16, 224),
        top1=61.8,
        top5=83.5,
        operations=56.0,
        params=38.8,
        why="no variant has 38.8 M or 56.0 operations (49.7 with two per multiply-add)",
    ),
    _printed(
        "mfnet",
        "Multi-Fiber",
        Network("mfnet", 16, 224),
        top1=72.8,
        top5=90.4,
        operations=22.5,
        params=8.0,
        why=f"{_TWICE}, and elementwise operations",
    ),
    _printed(
        "slowonly",
        "Slow-only",
        Network("slowonly_50", 4, 256),
        top1=72.6,
        top5=90.3,
        operations=27.3,
        params=26.6,
        why="no variant of the network has 26.6 M",
    ),
    _printed(
        "slowfast",
        "SlowFast",
        Network("slowfast_50_4x16", 32, 256),
        top1=74.3,
        top5=91.0,
        operations=39.8,
        params=34.4,
        why="no variant of the network has 39.8; this is 4x16 at 256 pixels, whose parameters fit",
    ),
    _printed(
        "mtconv",
        "MTConv",
        Network("r3d_50_e1", 16, 224, _MTCONV),
        top1=74.8,
        top5=91.3,
        operations=23.1,
        params=35.7,
        why="split channels, as in table 5.6; printed numbers are between this row and the next",
    ),
    _printed(
        "mtconv_all",
        "MTConv, all channels into both branches",
        Network("r3d_50_e1", 16, 224, _ALL_CHANNELS),
        top1=74.8,
        top5=91.3,
        operations=23.1,
        params=35.7,
        why="equation 5.2 taken literally; the printed numbers are between this and the row before",
    ),
)

TABLE = Table(
    name="5.2",
    title="Multi-temporal convolutions in place of 3D convolutions",
    source="r3d-50 on Kinetics-400, thesis, table 5.2",
    rows=(
        Row("r3d", "3D", 61.3),
        Row("narrow", "3D, fewer channels"),
        Row("mtconv", "MTConv", 74.8),
        Row("mtconv_all", "MTConv, all channels into both branches"),
    ),
    reference="r3d",
    setups={
        "smoke": {"marionette": small_scale.smoke(_small)},
        "small": {"marionette": small_scale.marionette(_small, "12 epochs", _NOTE, minutes=12)},
        "paper": paper_setups(_PRINTED),
    },
    printed=_PRINTED,
)

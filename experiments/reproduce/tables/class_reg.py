"""Class Regularization on r3d-50, table 6.4 of the thesis, with both readings of its bounds.

At scale `small` the network is r3d_50_e1 with one block per stage and a quarter of the width, on
clips of 4x36x36. The learning rate and the epochs were chosen without Class Regularization, with
seed 100, which the table does not use.
"""

from ml_collections import ConfigDict

from vidjax.configs import class_reg

from .. import small_scale
from ..table import Row, Setup, Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1), "zero_init": True}
_NOTE = "Learning rate and epochs were chosen without Class Regularization, with seed 100."
_PAPER = {"without": "baseline=true", "symmetric": "bounds=symmetric", "unit": "bounds=unit"}


def _small(row: str) -> ConfigDict:
    method = {} if row == "without" else {"class_reg": {"bounds": row}}
    return small_scale.small("r3d_50_e1", _OPTIONS | method, frames=4, stride=8)


def _paper(row: str) -> ConfigDict:
    return class_reg.get_config(f"model=r3d_50_e1,{_PAPER[row]}")


TABLE = Table(
    name="cr.6.4",
    title="r3d-50 with and without Class Regularization",
    source="r3d-50 on Kinetics-400, thesis, table 6.4, which leaves the bounds open",
    rows=(
        Row("without", "without", 63.6),
        Row("symmetric", "symmetric bounds", 64.2),
        Row("unit", "unit bounds", 64.2),
    ),
    reference="without",
    setups={
        "smoke": {"marionette": small_scale.smoke(_small)},
        "small": {
            "marionette": small_scale.marionette(_small, "12 epochs", _NOTE, minutes=5),
            "jhmdb": small_scale.jhmdb(_small, "16 epochs", _NOTE, minutes=5),
        },
        "paper": {"kinetics400": Setup(_paper, small_scale.SEEDS)},
    },
)

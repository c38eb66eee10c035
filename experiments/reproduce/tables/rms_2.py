"""Table 2 of the RMS paper, with scaling of x and of r from its table 1c.

`small` is the paper's SlowOnly-34 with one basic block a stage and 12 channels for 64. Clips of
4x36x36 leave 3x3 positions in stage 3 and 2x2 in stage 4, where the method is. Rate and lengths
were chosen on the baseline alone, with seed 100, which is none of the table's.
"""

from ml_collections import ConfigDict

from vidjax.configs import rms_mini_kinetics, rms_rows

from .. import budget
from ..table import Row, Setup, Table

_OPTIONS = {"width": 12, "depths": (1, 1, 1, 1), "zero_init": True, "dropout": 0.0}
_NOTE = "Rate and length were chosen on the baseline alone, with seed 100."


def _small(row: str) -> ConfigDict:
    config = budget.small("slowonly_34", _OPTIONS, frames=4, stride=8)
    config.update(rms_rows.MINI_KINETICS["slowonly_34"][row])
    return config


def _paper(row: str) -> ConfigDict:
    return rms_mini_kinetics.get_config(f"model=slowonly_34,row={row}")


TABLE = Table(
    name="rms.2",
    title="Random Mean Scaling and other regularisers",
    source="SlowOnly-34 on Mini-Kinetics, RMS paper, table 2, and 1c for x and r",
    rows=(
        Row("baseline", "baseline", 74.7),
        Row("rms", "RMS", 77.0),
        Row("rms_gf", "RMS-GF", 77.5),
        Row("input_0.5", "RS on x", 75.4),
        Row("residual_0.5", "RS on r", 75.6),
        Row("random_drop", "RandomDrop", 75.6),
        Row("shake_drop", "ShakeDrop", 77.3),
        Row("cutmix", "CutMix", 76.3),
    ),
    reference="baseline",
    setups={
        "smoke": {"marionette": budget.smoke(_small)},
        "small": {
            "marionette": budget.marionette(_small, "14 epochs", _NOTE),
            "jhmdb": budget.jhmdb(_small, "16 epochs", _NOTE),
        },
        "paper": {"mini_kinetics": Setup(_paper, budget.SEEDS)},
    },
)

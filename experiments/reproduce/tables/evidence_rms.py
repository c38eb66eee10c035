"""Tests whether Random Mean Scaling generalises better where the baseline overfits.

The network is SlowOnly-34 with 1, 1, 2 and 2 blocks and 12 channels, on clips of 4x80x80. Its
stages 3 and 4 have 5x5 and 3x3 positions, so in stage 3 the method's local mean over 3x3 is not the
mean of the whole map. 20 training videos per class are few enough to be memorised.
"""

from ml_collections import ConfigDict

from vidjax.configs import rms_rows

from .. import evidence_scale, small_scale
from ..contrasts import Contrast, contrasts
from ..table import Row, Table, Tuning

SIZE, SHORT_SIDE, BATCH = 80, 88, 16
EPOCHS = 100
TUNING = Tuning((0.02, 0.05, 0.1), (f"{EPOCHS // 2} epochs", f"{EPOCHS} epochs"))
ROWS = (
    Row("baseline", "baseline", 74.7),
    Row("rms", "RMS", 77.0),
    Row("rms_gf", "RMS-GF", 77.5),
    Row("residual_0.5", "RS on r", 75.6),
    Row("input_0.5", "RS on x", 75.4),
    Row("shake_drop", "ShakeDrop", 77.3),
)
_OPTIONS = {"width": 12, "depths": (1, 1, 2, 2), "dropout": 0.0}
_SEEDS = 10
_NOTE = (
    "20 training videos of each class. A run of the baseline with seed 0 and rate 0.05, before the "
    "plan, ended at 97 % on its augmented training clips and at 90 % on the test videos."
)
# Estimated from that run, which took 3.1 minutes on one core.
_MINUTES = 100


def configure(row: str) -> ConfigDict:
    """Returns the configuration of a row, without its data set."""
    config = small_scale.small("slowonly_34", _OPTIONS, frames=4, stride=8)
    config.update(rms_rows.MINI_KINETICS["slowonly_34"][row])
    config.data.short_side = SHORT_SIDE
    config.clip.size = config.eval.size = SIZE
    config.train.update({"batch_size": BATCH, "duration": f"{EPOCHS} epochs"})
    config.every.log = "5 epochs"
    return config


_GPU = evidence_scale.on_gpu(configure, {"width": 64, "depths": (3, 4, 6, 3)})
_NAMES = [row.name for row in ROWS]
_SETUPS = {
    "marionette": evidence_scale.marionette(
        configure, _SEEDS, _NOTE, train_per_class=20, tuning=TUNING, minutes=_MINUTES
    )
}

TABLE = Table(
    name="evidence.rms",
    title="Random Mean Scaling where the baseline overfits",
    source="SlowOnly-34 on Mini-Kinetics, RMS paper, table 2, and 1c for x and r",
    rows=ROWS,
    reference="baseline",
    setups={
        "smoke": evidence_scale.smoke_of(_SETUPS),
        "small": _SETUPS,
        "gpu": {"marionette": evidence_scale.marionette(_GPU, _SEEDS, _NOTE, train_per_class=20)},
    },
    primary=Contrast("rms", "baseline", "marionette"),
    contrasts=(
        Contrast("rms", "residual_0.5", "marionette"),
        *contrasts(_NAMES, "baseline", ["marionette"], "top1", "gap"),
    ),
)

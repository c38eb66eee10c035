"""Class Regularization as the thesis tunes it: added to a trained, frozen network.

Each seed has an r3d_50_e1 with four blocks and 16 channels. All other rows start from this network:
the method trained alone, the same with the row of a random class, and the head trained alone for as
long. If the guess of a stage matters, the method scores better than the random class.
"""

from ml_collections import ConfigDict

from .. import evidence_scale, frozen_class_reg, small_scale
from ..contrasts import Contrast
from ..table import Table

_OPTIONS = {"width": 16, "depths": (1, 1, 1, 1)}
_SEEDS = 8
_LENGTH, _MORE = "40 epochs", "10 epochs"
_NOTE = (
    "All rows but the first begin from the first one's network with the same seed, and train for "
    "10 epochs. Their learning rate is that of the network, and is not tuned. There are 2,048 test "
    "videos instead of 3,200, those of the other tables, so that they are made once."
)


def _configure(row: str) -> ConfigDict:
    config = small_scale.small("r3d_50_e1", _OPTIONS, frames=4, stride=8)
    config.train.update(
        {"batch_size": 16, "duration": _LENGTH if row == frozen_class_reg.BASE else _MORE}
    )
    frozen_class_reg.train_alone(config, row)
    return config


# Estimated: a clip costs a quarter of one of `evidence.rms`, of which a core trains 200 a second.
_MINUTES = 25
_SETUPS = {"marionette": evidence_scale.marionette(_configure, _SEEDS, _NOTE, minutes=_MINUTES)}

TABLE = Table(
    name="evidence.cr",
    title="Class Regularization on trained, frozen networks",
    source=frozen_class_reg.SOURCE,
    rows=frozen_class_reg.rows("trained network"),
    reference=frozen_class_reg.BASE,
    setups={"smoke": evidence_scale.smoke_of(_SETUPS), "small": _SETUPS},
    primary=Contrast("symmetric", frozen_class_reg.BASE, "marionette"),
    contrasts=frozen_class_reg.questions(["marionette"]),
)

"""Class Regularization on real videos: added to an I3D of Kinetics-400 that stays frozen.

The head of I3D is trained first, on each data set. All other rows start from this network: the
method trained alone, the same with the row of a random class, and the head trained alone for as
long. A seed is a fold: the run of seed s is tested on fold s, whose sources no other fold has.
"""

from ml_collections import ConfigDict

from vidjax.configs import finetune

from .. import evidence_scale, frozen_class_reg
from ..contrasts import Contrast
from ..folds import JHMDB, UT_INTERACTION
from ..small_scale import Configure
from ..table import Setup, Table

_NOTE = (
    "The unit is the fold: the run of seed s is tested on fold s and trained on the others. The "
    "settings are those of `--config=finetune:part=head`, with one crop in tests. All rows but the "
    "first begin from the first one's network of the same fold. Their learning rate is that of the "
    "head, and is not tuned."
)


def _head_then(length: str, more: str) -> Configure:
    """Returns what configures a row: the head is trained for a length, and others for more."""

    def configure(row: str) -> ConfigDict:
        config = finetune.get_config("weights=i3d:kinetics400,part=head")
        config.data.threads = 1
        config.every.update({"log": "1 epochs", "checkpoint": "50%", "evaluate": "100%", "keep": 1})
        config.eval.update({"crops": 1, "batch_size": 8})
        config.train.duration = length if row == frozen_class_reg.BASE else more
        frozen_class_reg.train_alone(config, row)
        return config

    return configure


def _in_smoke(row: str) -> ConfigDict:
    """Replaces I3D by a small network without weights."""
    config = _head_then("2 steps", "2 steps")(row)
    config.model.update({"name": "r3d_50_e1", "weights": ""})
    return config


_SETUPS = {
    "jhmdb_folds": Setup(
        _head_then("10 epochs", "4 epochs"), tuple(range(JHMDB.count)), _NOTE, minutes=60
    ),
    "ut_interaction_folds": Setup(
        _head_then("20 epochs", "20 epochs"), tuple(range(UT_INTERACTION.count)), _NOTE, minutes=25
    ),
}
_SMOKE = {"marionette": evidence_scale.marionette(_in_smoke, 1, _NOTE)}

TABLE = Table(
    name="evidence.cr-i3d",
    title="Class Regularization on a frozen I3D, on real videos",
    source=frozen_class_reg.SOURCE,
    rows=frozen_class_reg.rows("I3D with a trained head"),
    reference=frozen_class_reg.BASE,
    setups={"smoke": evidence_scale.smoke_of(_SMOKE), "small": _SETUPS},
    primary=Contrast("symmetric", frozen_class_reg.BASE, "jhmdb_folds"),
    contrasts=frozen_class_reg.questions([*_SETUPS]),
)

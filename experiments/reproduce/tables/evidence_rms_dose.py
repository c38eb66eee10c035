"""Random Mean Scaling over the number of training videos.

The network and the test videos are those of `evidence.rms`. A regulariser should help most with the
fewest training videos. Every number of videos gets as many steps as `evidence.rms` has for 20
videos per class, so that more videos do not mean longer training.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from .. import evidence_scale
from ..contrasts import Contrast, contrasts
from ..table import Row, Table
from . import evidence_rms

_DOSES = (8, 20, 48)
_STEPS = 20 * 16 * evidence_rms.EPOCHS // evidence_rms.BATCH
_NOTE = (
    "{} training videos of each class; all numbers of videos have the same number of steps, so "
    "that more videos do not mean a longer training. Rate and length are not tuned for each number "
    "of videos: that would take twice as long as the table."
)
# Estimated: 45 runs like those of `evidence.rms`, two at a time.
_MINUTES = 75
_ROWS = (Row("baseline", "baseline"), Row("rms", "RMS"), Row("shake_drop", "ShakeDrop"))
_DATASETS = [f"marionette_{dose}" for dose in _DOSES]


def _configure(row: str) -> ConfigDict:
    config = evidence_rms.configure(row)
    config.train.duration = f"{_STEPS} steps"
    config.every.log = "5%"
    return config


def _setups(configure: Callable[[str], ConfigDict]) -> dict[str, evidence_scale.Setup]:
    return {
        name: evidence_scale.marionette(
            configure, 5, _NOTE.format(dose), train_per_class=dose, minutes=_MINUTES / 3
        )
        for name, dose in zip(_DATASETS, _DOSES, strict=True)
    }


TABLE = Table(
    name="evidence.rms-dose",
    title="Random Mean Scaling over the number of training videos",
    source="no paper",
    rows=_ROWS,
    reference="baseline",
    setups={"smoke": evidence_scale.smoke_of(_setups(_configure)), "small": _setups(_configure)},
    primary=Contrast("rms", "baseline", "marionette_8"),
    contrasts=contrasts(["rms", "shake_drop"], "baseline", _DATASETS, "top1", "gap"),
)

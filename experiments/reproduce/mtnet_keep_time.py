"""The small MTNet of our own tables, which keeps all frames of a clip.

The network is mtnet_s with one block a stage and 12 channels. With `keep_time` it strides only in
space, so that its stages see all 12 frames and every selection of frames has a choice.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from . import evidence_scale, small_scale
from .table import Setup, Tuning

_OPTIONS: dict[str, Any] = {
    "width": 12,
    "depths": (1, 1, 1, 1),
    "neck": 128,
    "dropout": 0.0,
    "keep_time": True,
}
_EPOCHS = "40 epochs"
_TUNING = Tuning((0.001, 0.003), (_EPOCHS,))
_SEEDS = 5
_NOTE = (
    "Compare rows with their accuracy on the training videos in mind. A test has one clip instead "
    "of three: 12 frames at stride 3 are nearly a whole video."
)


def setups(options: Mapping[str, Mapping[str, Any]], minutes: float) -> dict[str, Setup]:
    """Returns the setup of a table on marionette.

    Args:
      options: options of the network, by row.
      minutes: as in `Setup`.
    """

    def configure(row: str) -> ConfigDict:
        config = small_scale.temporal("mtnet_s", _OPTIONS | dict(options[row]), rate=0.001)
        config.eval.clips = 1
        config.train.duration = _EPOCHS
        return config

    return {
        "marionette": evidence_scale.marionette(
            configure, _SEEDS, _NOTE, tuning=_TUNING, minutes=minutes
        )
    }

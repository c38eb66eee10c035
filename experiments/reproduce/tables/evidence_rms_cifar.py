"""Random Mean Scaling on images, with controls for locality.

The network is a ResNet of 20 layers on a tenth of CIFAR-100. With the window 1x1, the local mean is
the feature itself. With a window as large as the map, it is the mean of the whole map. The method
uses 3x3. If locality matters, the method scores better than both.
"""

from typing import Any

from ml_collections import ConfigDict

from .. import evidence_scale, small_scale
from ..contrasts import Contrast, contrasts
from ..data_sets import PICTURES
from ..table import Row, Setup, Table, Tuning

_OPTIONS = {"depths": (3, 3, 3)}
# Maps of stages 2 and 3, which the method is in, have 16x16 and 8x8 positions.
_WHOLE = (1, 31, 31)
_METHODS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "rms": {"random_scaling": {}},
    "rms_1x1": {"random_scaling": {"window": (1, 1, 1)}},
    "rms_whole": {"random_scaling": {"window": _WHOLE}},
}
_ROWS = (
    Row("baseline", "baseline"),
    Row("rms", "RMS"),
    Row("rms_1x1", "RMS, window 1x1"),
    Row("rms_whole", "RMS, window of the whole map"),
)
_LENGTH = "30 epochs"
# Estimated: a picture costs three quarters of a clip of `evidence.rms`.
_MINUTES = 180
_TUNING = Tuning((0.05, 0.1, 0.2), (_LENGTH,))
_NOTE = (
    "Of the 100 training pictures of each class 80 train and 20 are for validation, so that the "
    "rates of all rows are tuned without test pictures."
)


def _configure(row: str) -> ConfigDict:
    config = small_scale.small("cifar_resnet_110", _OPTIONS | _METHODS[row], frames=1, stride=1)
    # The pictures are stored as JPEG.
    config.data.update({"short_side": 32, "quality": 100})
    config.augment.crop = "padded"
    config.clip.size = 32
    config.train.update({"batch_size": 64, "duration": _LENGTH})
    config.optimizer.update({"lr": 0.1, "nesterov": True})
    config.every.log = "2 epochs"
    config.eval.update({"clips": 1, "size": 32, "batch_size": 100})
    return config


_SETUP = Setup(_configure, tuple(range(5)), _NOTE, minutes=_MINUTES, tuning=_TUNING)
_NAMES = [row.name for row in _ROWS]

TABLE = Table(
    name="evidence.rms-cifar",
    title="Random Mean Scaling on pictures, with controls of locality",
    source="no paper",
    rows=_ROWS,
    reference="baseline",
    setups={
        "smoke": evidence_scale.smoke_of({"marionette": _SETUP}, {"depths": (0, 1, 1)}),
        "small": {PICTURES: _SETUP},
    },
    primary=Contrast("rms", "baseline", PICTURES),
    contrasts=(
        Contrast("rms", "rms_1x1", PICTURES),
        Contrast("rms", "rms_whole", PICTURES),
        *contrasts(_NAMES, "baseline", [PICTURES], "top1", "gap"),
    ),
)

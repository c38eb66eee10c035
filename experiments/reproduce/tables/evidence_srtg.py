"""Temporal gates after the plateau, with controls for what recurrence adds.

The network is an r3d_34_e1 with four blocks and 12 channels, on clips of 24 frames; its stages see
12, 6, 3 and 2 frames. `zero_init` is off, as in the thesis and its code. With it, blocks start as
their shortcuts and training stays on a plateau for longer. The controls have the same states at all
frames: a learned scale for each channel, or the states of single frames, averaged. Only a row that
scores better than both makes use of how a clip changes over time.
"""

from typing import Any

from ml_collections import ConfigDict

from .. import evidence_scale, small_scale
from ..contrasts import Contrast, contrasts
from ..table import Row, Table, Tuning

_OPTIONS: dict[str, Any] = {"width": 12, "depths": (1, 1, 1, 1), "zero_init": False}
_EPOCHS, _BATCH = 30, 8
_STEPS = _EPOCHS * 16 * evidence_scale.VIDEOS["train_per_class"] // _BATCH
_METHODS: dict[str, dict[str, Any]] = {
    "without": {},
    "start": {"srtg": "start"},
    "res": {"srtg": "res"},
    "final": {"srtg": "final"},
    "final_tested": {"srtg": "final", "gate": "hard"},
    "final_warmup": {"srtg": "final", "gate": "hard", "gate_warmup_steps": _STEPS // 2},
    "final_learned": {"srtg": {"placement": "final", "states": "learned"}},
    "final_averaged": {"srtg": {"placement": "final", "states": "averaged"}},
}
_ROWS = (
    Row("without", "without", 74.8),
    Row("final", "final, always fused", 78.6),
    Row("final_learned", "final, learned scale"),
    Row("final_averaged", "final, averaged states"),
    Row("start", "start, always fused", 75.7),
    Row("res", "res, always fused", 76.7),
    Row("final_tested", "final, tested", 78.6),
    Row("final_warmup", "final, tested after half", 78.6),
)
_TUNING = Tuning((0.001, 0.003, 0.01), (f"{_EPOCHS} epochs",))
_SEEDS = 5
_NOTE = (
    "Rows are tuned in the learning rate only, because the warm-up is half of the length. A test "
    "has one clip instead of three: 24 frames at stride 2 are nearly a whole video."
)


def _configure(row: str) -> ConfigDict:
    config = small_scale.temporal("r3d_34_e1", _OPTIONS | _METHODS[row], rate=0.003)
    config.clip.update({"frames": 24, "stride": 2})
    config.eval.clips = 1
    config.train.update({"batch_size": _BATCH, "duration": f"{_EPOCHS} epochs"})
    return config


_GPU = evidence_scale.on_gpu(_configure, {"width": 64, "depths": (3, 4, 6, 3)})
# Estimated: one core trains 145 clips a second of the row `final`, and tests for 17 seconds.
_MINUTES = 70
_SETUPS = {
    "marionette": evidence_scale.marionette(
        _configure, _SEEDS, _NOTE, tuning=_TUNING, minutes=_MINUTES
    )
}
_NAMES = [row.name for row in _ROWS]

TABLE = Table(
    name="evidence.srtg",
    title="Temporal gates after the plateau, beside controls",
    source="r3d-34 on HACS, thesis, table 4.1, which does not say how gates were trained",
    rows=_ROWS,
    reference="without",
    setups={
        "smoke": evidence_scale.smoke_of(_SETUPS),
        "small": _SETUPS,
        "gpu": {"marionette": evidence_scale.marionette(_GPU, _SEEDS, _NOTE)},
    },
    primary=Contrast("final", "without", "marionette"),
    contrasts=(
        Contrast("final", "final_learned", "marionette"),
        Contrast("final", "final_averaged", "marionette"),
        *contrasts(_NAMES, "without", ["marionette"], "top1", "timed_top1"),
    ),
)

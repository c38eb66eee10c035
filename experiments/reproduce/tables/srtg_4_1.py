"""Temporal gates by placement and by how they are trained: table 4.1 of the thesis.

The table has gates at four placements. What it does not say is how they were trained: `none` always
fuses, as the released code does; `hard` tests each clip from the first step; `warmup` does so
after half of the training. `small` is r3d_34_e1 with one block a stage and 12 channels for 64, on
clips of 12 frames, of which the stages have 6, 3, 2 and 1.
"""

from ml_collections import ConfigDict

from vidjax.configs import srtg

from .. import budget
from ..table import Row, Setup, Table

_OPTIONS = {"width": 12, "depths": (1, 1, 1, 1), "zero_init": True}
_NOTE = (
    "Rate and length were chosen with seed 100 on the network without gates and on the one that "
    "always fuses after its blocks, so that both learn."
)
_PLACEMENTS = {"start": 75.70, "mid": 75.49, "res": 76.70, "final": 78.60}
_TRAININGS = {"none": "always fused", "hard": "tested", "warmup": "tested after half"}
_EPOCHS, _BATCHES = 12, 96


def _options(row: str, steps: int) -> dict[str, object]:
    """Options of a row such as `final_hard`, whose run has so many steps."""
    if row == "without":
        return {}
    placement, training = row.split("_")
    if training == "none":
        return {"srtg": placement}
    warmup = {"gate_warmup_steps": steps // 2} if training == "warmup" else {}
    return {"srtg": placement, "gate": "hard", **warmup}


def _small(row: str) -> ConfigDict:
    options = _OPTIONS | _options(row, _EPOCHS * _BATCHES)
    return budget.temporal("r3d_34_e1", options, rate=0.003)


def _paper(row: str) -> ConfigDict:
    config = srtg.get_config("model=r3d_34_e1,dataset=hacs")
    # 150 epochs of about half a million clips, 184 in a batch of the multigrid on average.
    config.model.options.update(_options(row, 150 * 500_000 // 184))
    return config


TABLE = Table(
    name="4.1",
    title="Squeeze and Recursion Temporal Gates by placement and training",
    source="r3d-34 on HACS, thesis, table 4.1, which does not say how gates were trained",
    rows=(
        Row("without", "without", 74.82),
        *(
            Row(f"{place}_{training}", f"{place}, {label}", score)
            for place, score in _PLACEMENTS.items()
            for training, label in _TRAININGS.items()
        ),
    ),
    reference="without",
    setups={
        "smoke": {"marionette": budget.smoke(_small)},
        "small": {"marionette": budget.marionette(_small, f"{_EPOCHS} epochs", _NOTE)},
        "paper": {"hacs": Setup(_paper, budget.SEEDS)},
    },
)

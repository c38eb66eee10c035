"""Temporal gates by placement and by how they are trained: table 4.1 of the thesis.

The table has gates at four placements, but it does not say how they were trained. `none` always
fuses, like the released code; `hard` tests each clip from the first step; `warmup` tests after half
of the training. At scale `small` the network is r3d_34_e1 with one block per stage and 12 channels
instead of 64. Clips have 12 frames; the stages have 6, 3, 2 and 1.
"""

from ml_collections import ConfigDict

from .. import small_scale
from ..paper_row import Network, PaperRow
from ..paper_scale import paper_setups
from ..table import Row, Table

_OPTIONS = {"width": 12, "depths": (1, 1, 1, 1), "zero_init": True}
_NOTE = (
    "Learning rate and epochs were chosen with seed 100 on the network without gates and on the "
    "one that always fuses after its blocks, so that both learn."
)
_TRAININGS = {"none": "always fused", "hard": "tested", "warmup": "tested after half"}
_EPOCHS, _BATCHES = 12, 96


def _options(row: str, steps: int) -> dict[str, object]:
    """Returns the options of a row such as `final_hard`, for a run with this number of steps."""
    if row == "without":
        return {}
    placement, training = row.split("_")
    if training == "none":
        return {"srtg": placement}
    warmup = {"gate_warmup_steps": steps // 2} if training == "warmup" else {}
    return {"srtg": placement, "gate": "hard", **warmup}


def _small(row: str) -> ConfigDict:
    options = _OPTIONS | _options(row, _EPOCHS * _BATCHES)
    return small_scale.temporal("r3d_34_e1", options, rate=0.003)


# 150 epochs of about half a million clips; a multigrid batch has 184 clips on average.
_STEPS = 150 * 500_000 // 184
# Top-1 and top-5 of r3d-34 and of r(2+1)d-34.
_SCORES = {
    "without": ((74.82, 92.84), (75.70, 93.57)),
    "start": ((75.70, 93.23), (76.44, 93.78)),
    "mid": ((75.49, 93.22), (76.68, 93.75)),
    "res": ((76.70, 93.31), (77.09, 93.86)),
    "final": ((78.60, 93.57), (80.39, 94.27)),
}
_ROWS = (
    ("without", "without"),
    *(
        (f"{place}_{training}", f"{place}, {label}")
        for place in list(_SCORES)[1:]
        for training, label in _TRAININGS.items()
    ),
)


def _printed(model: str, place: int, prefix: str, label: str) -> list[PaperRow]:
    """Returns the rows of a network, one for each way to train the gates."""
    rows = []
    for row, words in _ROWS:
        options = _options(row, _STEPS)
        top1, top5 = _SCORES[row.split("_")[0]][place]
        rows.append(
            PaperRow(
                f"{label}, {words}",
                top1,
                top5,
                name=prefix + row,
                # Counted as if gates always fused: a test compares a few vectors only.
                network=Network(
                    model, 16, 224, {key: options[key] for key in options if key == "srtg"}
                ),
                config=f"srtg:model={model},dataset=hacs",
                changes={f"model.options.{key}": value for key, value in options.items()},
                dataset="hacs",
                against="" if row == "without" else f"{prefix}without",
            )
        )
    return rows


_PRINTED = (
    *_printed("r3d_34_e1", 0, "", "3D"),
    *_printed("r2plus1d_34_e1", 1, "r2plus1d_", "(2+1)D"),
)

TABLE = Table(
    name="4.1",
    title="Squeeze and Recursion Temporal Gates by placement and training",
    source="r3d-34 on HACS, thesis, table 4.1, which does not say how gates were trained",
    rows=tuple(Row(row, words, _SCORES[row.split("_")[0]][0][0]) for row, words in _ROWS),
    reference="without",
    setups={
        "smoke": {"marionette": small_scale.smoke(_small)},
        "small": {
            "marionette": small_scale.marionette(_small, f"{_EPOCHS} epochs", _NOTE, minutes=30)
        },
        "paper": paper_setups(_PRINTED),
    },
    printed=_PRINTED,
)

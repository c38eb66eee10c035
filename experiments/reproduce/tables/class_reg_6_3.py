"""Class Regularization and others on Kinetics-400: table 6.3 of the thesis."""

from ..paper_scale import paper_table
from ..rows.class_reg import mtnet_cr_row
from ..rows.kinetics import others_on_kinetics, ours_on_kinetics

_FACTS = {"input": "16x256x256", "backbone": "ResNet(X3D)"}
_FACTS_S = {**_FACTS, "input": "13x182x182"}
_ORDER = (
    "I3D",
    "TSM",
    "R(2+1)D",
    "ip-CSN-101",
    "ip-CSN-152",
    "MF-Net",
    "SF-50",
    "SF-101",
    "X3D-XL",
    "TAM",
)
_K400 = "kinetics400"

TABLE = paper_table(
    "6.3",
    "Class Regularization and others on Kinetics-400",
    "thesis, table 6.3",
    (
        *sorted(others_on_kinetics(), key=lambda row: _ORDER.index(row.label)),
        *ours_on_kinetics(mtnet_s="13x182x182"),
        mtnet_cr_row("mtnet_s", _K400, 76.1, 92.4, against="mtnet_s", facts=_FACTS_S),
        mtnet_cr_row("mtnet_m", _K400, 77.7, 92.9, against="mtnet_m", facts=_FACTS),
        mtnet_cr_row("mtnet_l", _K400, 78.9, 93.6, against="mtnet_l", facts=_FACTS, params=51.0),
    ),
)

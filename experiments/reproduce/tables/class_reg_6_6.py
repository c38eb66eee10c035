"""Whether Class Regularization differs by more than chance: table 6.6 of the thesis."""

from dataclasses import replace

from ..paper_row import Contingency, PaperRow
from ..paper_scale import paper_table
from ..rows.class_reg import PAIRS, mtnet_cr_row, pair_rows
from ..rows.kinetics import ours_on_kinetics

_SCRATCH = {
    "r3d-50": Contingency(8112, 576, 659, 4314, 5.445, 1.9e-2),
    "r(2+1)d-50": Contingency(8253, 557, 654, 4197, 7.610, 5.8e-3),
    "wide-r3d-50": Contingency(8216, 527, 703, 4215, 24.898, 6.0e-7),
    "r3d-101": Contingency(8775, 134, 473, 4279, 188.211, 7.8e-43),
}
_MTNETS = {
    "mtnet_s": Contingency(9516, 707, 878, 2560, 18.233, 1.9e-5),
    "mtnet_m": Contingency(9931, 538, 678, 2514, 15.889, 6.7e-5),
    "mtnet_l": Contingency(10176, 496, 614, 2375, 12.332, 4.4e-4),
}


def _rows() -> list[PaperRow]:
    """Returns the pairs of rows; their top-1 follows from the counts."""
    rows = []
    for label in PAIRS:
        without, regularized = pair_rows(label)
        rows += [without.bare(), replace(regularized.bare(), test=_SCRATCH[label])]
    plain = {row.folder: row for row in ours_on_kinetics("13x182x182")}
    for model, test in _MTNETS.items():
        regularized = mtnet_cr_row(model, "kinetics400", 0.0, 0.0, against=model)
        rows += [plain[model].bare(), replace(regularized.bare(), test=test)]
    return rows


TABLE = paper_table(
    "6.6",
    "McNemar's test of Class Regularization",
    "thesis, table 6.6, on 13661 videos of Kinetics-400",
    _rows(),
)

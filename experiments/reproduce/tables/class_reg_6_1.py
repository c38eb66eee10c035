"""Layers of networks with and without Class Regularization: table 6.1 of the thesis."""

from dataclasses import replace

from ..paper_row import PaperRow
from ..paper_scale import paper_table
from ..rows.class_reg import PAIRS, mtnet_cr_row, pair_rows
from ..rows.networks import mtnet_rows

# Blocks and channels of the stages, as printed.
_LAYERS = {
    "r3d-50": ("3, 4, 6, 3", "64, 128, 256, 512"),
    "r(2+1)d-50": ("3, 4, 6, 3", "64, 128, 256, 512"),
    "wide-r3d-50": ("3, 4, 6, 3", "128, 256, 512, 1024"),
    "r3d-101": ("3, 4, 23, 3", "64, 128, 256, 512"),
    "mtnet_s": ("3, 5, 11, 7", "54-24, 108-48, 216-96, 432-192"),
    "mtnet_m": ("3, 5, 11, 7", "54-24, 108-48, 216-96, 432-192"),
    "mtnet_l": ("5, 10, 25, 15", "54-24, 108-48, 216-96, 432-192"),
}
_LABELS = {"mtnet_s": "MTNet_S", "mtnet_m": "MTNet_M", "mtnet_l": "MTNet_L"}


def _of_layers(row: PaperRow, key: str, affection: str) -> PaperRow:
    """Returns the row with its layers and without numbers."""
    blocks, channels = _LAYERS[key]
    facts = {"blocks": blocks, "channels": channels, "affection": affection}
    return replace(row.bare(), facts=facts)


def _pair(key: str) -> tuple[PaperRow, PaperRow]:
    if key in PAIRS:
        return pair_rows(key)
    (without,) = mtnet_rows({_LABELS[key]: (0.0, 0.0)}, "kinetics400")
    return without, mtnet_cr_row(key, "kinetics400", 0.0, 0.0, against=key)


TABLE = paper_table(
    "6.1",
    "Networks with and without Class Regularization",
    "thesis, table 6.1, which prints layers and no score",
    [
        _of_layers(row, key, affection)
        for key in _LAYERS
        for row, affection in zip(_pair(key), ("-", "0.9, 0.8, 0.7, 0.6"), strict=True)
    ],
)

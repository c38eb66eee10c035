"""Pairs with and without Class Regularization, from scratch: table 6.4 of the thesis."""

from ..paper_scale import paper_table
from ..rows.class_reg import PAIRS, pair_rows

TABLE = paper_table(
    "6.4",
    "Pairs with and without Class Regularization",
    "thesis, table 6.4, on Kinetics-400",
    [row for label in PAIRS for row in pair_rows(label)],
)

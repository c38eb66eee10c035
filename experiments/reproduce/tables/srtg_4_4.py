"""Temporal gates and others on Moments in Time: table 4.4 of the thesis."""

from ..paper_scale import paper_table
from ..rows.moments import GATED_MIT, others_on_moments
from ..rows.networks import backbone_rows

TABLE = paper_table(
    "4.4",
    "Temporal gates and others on Moments in Time",
    "thesis, table 4.4",
    (*others_on_moments(), *backbone_rows(GATED_MIT, "mit", printing=(), facts={"arch": "Fixed"})),
)

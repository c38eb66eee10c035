"""MTNets and others on Moments in Time: table 5.3 of the thesis."""

from ..paper_scale import paper_table
from ..rows.moments import GATED_MIT, others_on_moments
from ..rows.networks import backbone_rows, mtnet_rows

_FIXED = {"arch": "Fixed"}
MTNETS_MIT = {"MTNet_M": (34.5, 58.6), "MTNet_L": (35.2, 59.3)}

TABLE = paper_table(
    "5.3",
    "MTNets and others on Moments in Time",
    "thesis, table 5.3",
    (
        *others_on_moments(),
        *backbone_rows(GATED_MIT, "mit", printing=(), facts=_FIXED),
        *mtnet_rows(MTNETS_MIT, "mit", printing=(), facts=_FIXED),
    ),
)

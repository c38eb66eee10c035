"""MTNets and others on Kinetics-400: table 5.1 of the thesis, whose rows table 6.3 repeats."""

from ..paper_scale import paper_table
from ..rows.kinetics import others_on_kinetics, ours_on_kinetics

TABLE = paper_table(
    "5.1",
    "MTNets and others on Kinetics-400",
    "thesis, table 5.1",
    (*others_on_kinetics(), *ours_on_kinetics(mtnet_s="16x256x256")),
)

"""Class Regularization on three data sets, with added latency: table 2 of the ICIP paper."""

from ..paper_scale import paper_table
from ..rows.icip import rows_on

TABLE = paper_table(
    "cr.2",
    "Class Regularization on three data sets",
    "ICIP paper, table 2, clip accuracies; split 1 of UCF-101 and HMDB-51",
    [row for dataset in ("kinetics400", "ucf101", "hmdb51") for row in rows_on(dataset)],
)

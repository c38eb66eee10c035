"""MTNets from HACS to UCF-101: table 5.9 of the thesis."""

from ..paper_scale import paper_table
from ..rows.transfer import gated_to, others_to_ucf101

TABLE = paper_table(
    "5.9",
    "Transfer of MTNets to UCF-101",
    "thesis, table 5.9",
    (
        *others_to_ucf101(),
        *gated_to(
            "ucf101",
            "HACS+K-700",
            {"SRTG r3d-101": (97.3, 99.6), "SRTG r(2+1)d-101": (97.2, 99.1)},
        ),
        *gated_to(
            "ucf101",
            "HACS",
            {"MTNet_S": (94.2, 98.0), "MTNet_M": (95.4, 98.1), "MTNet_L": (97.4, 99.2)},
            config="mtnet_transfer",
        ),
    ),
)

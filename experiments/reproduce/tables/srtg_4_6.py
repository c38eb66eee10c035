"""From large data sets to UCF-101: table 4.6 of the thesis."""

from ..paper_scale import paper_table
from ..rows.transfer import gated_to, others_to_ucf101

TABLE = paper_table(
    "4.6",
    "Transfer to UCF-101",
    "thesis, table 4.6",
    (
        *others_to_ucf101(),
        *gated_to("ucf101", "HACS+K-700", {"r3d-101": (95.8, 98.4), "r(2+1)d-101": (95.5, 98.7)}),
        *gated_to(
            "ucf101",
            "HACS+K-700",
            {
                "SRTG r3d-34": (94.8, 98.1),
                "SRTG r3d-50": (95.7, 98.5),
                "SRTG r3d-101": (97.3, 99.5),
                "SRTG r(2+1)d-34": (94.1, 97.8),
                "SRTG r(2+1)d-50": (95.7, 98.8),
                "SRTG r(2+1)d-101": (97.3, 99.2),
            },
        ),
    ),
    reference="r3d_101_e1",
)

"""Temporal gates and others on Kinetics-700: table 4.3 of the thesis."""

from ..paper_scale import paper_table
from ..rows.networks import OTHERS, backbone_rows

K600, HACS = {"pre": "K-600"}, {"pre": "HACS"}
ALONE = ("operations",)
# Top-1 and top-5 of others, which table 5.4 repeats.
OTHERS_K700 = {
    "I3D": (53.0, 69.2),
    "TSM": (54.0, 72.2),
    "MF-Net": (54.3, 73.4),
    "ir-CSN-101": (54.7, 73.8),
    "SF-50": (56.2, 75.7),
    "SF-101": (57.3, 77.2),
}
GATED_K700 = {
    "SRTG r3d-34": (49.1, 72.7),
    "SRTG r3d-50": (53.5, 74.2),
    "SRTG r3d-101": (56.5, 76.8),
    "SRTG r(2+1)d-34": (49.4, 73.2),
    "SRTG r(2+1)d-50": (54.2, 74.6),
    "SRTG r(2+1)d-101": (56.8, 77.4),
}

TABLE = paper_table(
    "4.3",
    "Temporal gates and others on Kinetics-700",
    "thesis, table 4.3",
    (
        *(
            OTHERS[label].row(label, *score, printing=ALONE, facts=K600)
            for label, score in OTHERS_K700.items()
        ),
        *backbone_rows(GATED_K700, "kinetics700", printing=ALONE, facts=HACS),
    ),
)

"""MTNets and others on Kinetics-700: table 5.4 of the thesis."""

from ..paper_scale import paper_table
from ..rows.networks import OTHERS, backbone_rows, mtnet_rows
from .srtg_4_3 import ALONE, GATED_K700, HACS, K600, OTHERS_K700

TABLE = paper_table(
    "5.4",
    "MTNets and others on Kinetics-700",
    "thesis, table 5.4, of the version of 2020",
    (
        *(
            OTHERS[label].row(
                label,
                *score,
                printing=ALONE,
                facts=K600,
                views="N/A" if label == "I3D" else OTHERS[label].views,
            )
            for label, score in OTHERS_K700.items()
        ),
        *backbone_rows(GATED_K700, "kinetics700", printing=ALONE, facts=HACS),
        *mtnet_rows(
            {"MTNet_M": (58.4, 77.6), "MTNet_L": (63.3, 84.1)},
            "kinetics700",
            printing=ALONE,
            facts=HACS,
        ),
    ),
)

"""Temporal gates and others on HACS: table 4.2 of the thesis."""

from ..paper_scale import paper_table
from ..rows.networks import OTHERS, backbone_rows

K400, IG65, K700 = ({"pre": name} for name in ("K-400", "IG65", "K-700"))
PLAIN_HACS = {
    "r3d-34": (74.8, 92.8),
    "r3d-50": (78.4, 93.8),
    "r3d-101": (80.5, 95.2),
    "r(2+1)d-34": (75.7, 93.8),
    "r(2+1)d-50": (81.3, 94.5),
    "r(2+1)d-101": (82.9, 95.7),
}
GATED_HACS = {
    "SRTG r3d-34": (78.6, 93.6),
    "SRTG r3d-50": (80.3, 95.5),
    "SRTG r3d-101": (81.6, 96.3),
    "SRTG r(2+1)d-34": (80.4, 94.3),
    "SRTG r(2+1)d-50": (83.8, 96.6),
    "SRTG r(2+1)d-101": (84.3, 96.8),
}

TABLE = paper_table(
    "4.2",
    "Temporal gates and others on HACS",
    "thesis, table 4.2",
    (
        OTHERS["MF-Net"].row("MF-Net", 78.3, 94.6, facts=K400),
        OTHERS["I3D"].row("I3D", 79.9, 94.5, facts=K400),
        OTHERS["TSM"].row("TSM", 81.4, 95.5, facts=K400),
        OTHERS["TAM"].row("TAM", 82.2, 95.2, facts=K400),
        OTHERS["SF-101"].row("SF-101", 83.7, 96.8, facts=K400),
        *backbone_rows(PLAIN_HACS, "hacs", facts=K700),
        OTHERS["ir-CSN-101"].row("ir-CSN-101", 83.8, 93.8, facts=IG65),
        OTHERS["ip-CSN-101"].row("ip-CSN-101", 84.1, 93.9, facts=IG65),
        *backbone_rows(GATED_HACS, "hacs", facts={"pre": "-"}),
    ),
)

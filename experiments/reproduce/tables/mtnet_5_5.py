"""MTNets and others on HACS, with latencies: table 5.5 of the thesis."""

from typing import Any

from ..paper_scale import paper_table
from ..rows.networks import OTHERS, SF_101_OF_50, backbone_rows, mtnet_rows
from .srtg_4_2 import GATED_HACS, PLAIN_HACS

MTNETS_HACS = {"MTNet_S": (80.7, 95.2), "MTNet_M": (83.4, 95.9), "MTNet_L": (86.6, 96.7)}
# Pre-training, milliseconds a clip forward and backward, in batches of 32.
OWN = {
    "r3d-34": ("K-700", "32.7", "74.1"),
    "r3d-50": ("K-700", "28.2", "87.7"),
    "r3d-101": ("K-700", "41.6", "110.2"),
    "r(2+1)d-34": ("K-700", "40.8", "152.0"),
    "r(2+1)d-50": ("K-700", "33.2", "128.7"),
    "r(2+1)d-101": ("K-700", "49.9", "163.6"),
    "SRTG r3d-34": ("-", "35.2", "80.6"),
    "SRTG r3d-50": ("-", "31.8", "96.9"),
    "SRTG r3d-101": ("-", "49.2", "131.6"),
    "SRTG r(2+1)d-34": ("-", "46.3", "157.0"),
    "SRTG r(2+1)d-50": ("-", "37.6", "141.5"),
    "SRTG r(2+1)d-101": ("-", "58.9", "172.2"),
    "MTNet_S": ("-", "50.8", "199.6"),
    "MTNet_M": ("-", "62.8", "216.3"),
    "MTNet_L": ("-", "98.3", "513.7"),
}
_OF_50: dict[str, Any] = {"operations": 65.7, "why": SF_101_OF_50}


def _facts(pre: str, forward: str, backward: str) -> dict[str, Any]:
    return {"facts": {"pre": pre, "forward": forward, "backward": backward}}


TABLE = paper_table(
    "5.5",
    "MTNets and others on HACS",
    "thesis, table 5.5",
    (
        OTHERS["MF-Net"].row("MF-Net", 78.3, 94.6, **_facts("K-400", "32.8", "236.0")),
        OTHERS["TAM"].row("TAM", 82.2, 95.2, **_facts("K-400", "42.1", "165.3")),
        OTHERS["SF-101"].row("SF-101", 83.7, 96.8, **_OF_50, **_facts("K-400", "39.3", "125.1")),
        OTHERS["X3D-L"].row("X3D-L", 85.8, 96.1, **_facts("K-400", "73.6", "457.4")),
        *(
            row
            for label, score in PLAIN_HACS.items()
            for row in backbone_rows({label: score}, "hacs", **_facts(*OWN[label]))
        ),
        OTHERS["ir-CSN-101"].row("ir-CSN-101", 83.8, 93.8, **_facts("IG65", "51.4", "461.2")),
        OTHERS["ip-CSN-101"].row("ip-CSN-101", 84.1, 93.9, **_facts("IG65", "64.3", "512.6")),
        *(
            row
            for label, score in GATED_HACS.items()
            for row in backbone_rows({label: score}, "hacs", **_facts(*OWN[label]))
        ),
        *(
            row
            for label, score in MTNETS_HACS.items()
            for row in mtnet_rows({label: score}, "hacs", **_facts(*OWN[label]))
        ),
    ),
)

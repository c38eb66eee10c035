"""Rows on Kinetics-400 that tables 5.1 and 6.3 of the thesis share."""

from __future__ import annotations

from typing import Any

from ..paper_row import Network, PaperRow
from .networks import OTHERS, backbone_rows, mtnet_rows

_R2PLUS1D = "despite the row's name, the numbers are those of R(2+1)D-34 on 32x112x112"
_IP = "counted on 32 frames, which give the printed operations; the table says 8"


def others_on_kinetics() -> list[PaperRow]:
    """Returns the rows of networks by other authors, in the order of table 5.1."""
    ip_101: dict[str, Any] = {
        "network": Network("ip_csn_101", 32, 256),
        "operations": 83.0,
        "views": 30,
    }
    rows: tuple[tuple[str, float, float, str, str, dict[str, Any]], ...] = (
        ("R(2+1)D", 62.8, 83.9, "16x224x224", "ResNet101", {"why": _R2PLUS1D}),
        ("I3D", 71.6, 90.0, "16x224x224", "InceptionV1", {"views": "N/A"}),
        ("MF-Net", 72.8, 90.4, "16x224x224", "ResNet50", {}),
        ("TSM", 74.7, 91.4, "16x224x224", "ResNet50", {}),
        ("ip-CSN-101", 76.7, 92.3, "8x224x224", "ResNet101", {**ip_101, "why": _IP}),
        ("TAM", 76.9, 92.9, "16x256x256", "ResNet50", {}),
        ("SF-50", 77.0, 92.6, "(32, 4)x224x224", "ResNet50", {}),
        ("ip-CSN-152", 77.8, 92.8, "8x224x224", "ResNet152", {"why": _IP}),
        ("SF-101", 77.9, 93.5, "(32, 4)x224x224", "ResNet101", {}),
        ("X3D-XL", 79.1, 93.9, "16x224x224", "ResNet(X3D)", {}),
    )
    return [
        OTHERS[label].row(label, top1, top5, facts={"input": clip, "backbone": backbone}, **changed)
        for label, top1, top5, clip, backbone, changed in rows
    ]


def ours_on_kinetics(mtnet_s: str) -> list[PaperRow]:
    """Returns the rows of the thesis' own networks.

    Args:
      mtnet_s: input size that the table prints for MTNet_S.
    """
    scores = {"MTNet_S": (74.8, 92.1), "MTNet_M": (76.6, 92.5), "MTNet_L": (78.1, 93.2)}
    gated = {"SRTG r3d-101": (73.2, 91.3), "SRTG r(2+1)d-101": (73.8, 92.0)}
    resnet = {"input": "16x224x224", "backbone": "ResNet101"}
    inputs = {"MTNet_S": mtnet_s}
    return [
        *backbone_rows(gated, "kinetics400", facts=resnet),
        *(
            row
            for label, score in scores.items()
            for row in mtnet_rows(
                {label: score},
                "kinetics400",
                facts={"input": inputs.get(label, "16x256x256"), "backbone": "ResNet(X3D)"},
            )
        ),
    ]

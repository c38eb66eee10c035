"""Rows on Moments in Time that tables 4.4 and 5.3 of the thesis share."""

from __future__ import annotations

from ..paper_row import Network, PaperRow

_NAS, _FIXED = {"arch": "NAS"}, {"arch": "Fixed"}
GATED_MIT = {
    "SRTG r3d-34": (28.5, 52.3),
    "SRTG r3d-50": (30.7, 55.6),
    "SRTG r3d-101": (33.6, 58.5),
    "SRTG r(2+1)d-34": (29.0, 54.2),
    "SRTG r(2+1)d-50": (31.6, 56.8),
    "SRTG r(2+1)d-101": (33.7, 59.1),
}


def others_on_moments() -> tuple[PaperRow, ...]:
    """Returns the rows of networks by other authors, which no configuration here trains."""
    return (
        PaperRow("EvaNet", 31.8, network=Network("evanet_1", 16, 224), facts=_NAS),
        PaperRow(
            "AssembleNet", 34.3, 62.7, network=Network("assemblenet_101", 32, 224), facts=_NAS
        ),
        PaperRow("MF-Net", 27.3, 48.2, network=Network("mfnet", 16, 224), facts=_FIXED),
        PaperRow("I3D", 29.5, 56.1, network=Network("i3d", 64, 224), facts=_FIXED),
        PaperRow(
            "CoST",
            32.4,
            60.0,
            network=Network("cost_101", 32, 224, {"long_clips": True}),
            facts=_FIXED,
        ),
        PaperRow(
            "SoundNet",
            7.6,
            18.0,
            facts=_FIXED,
            why="left out: it uses sound and no frames, and the data sets here have no sound",
        ),
        PaperRow(
            "TSN+Flow",
            15.7,
            34.7,
            network=Network("tsn_bninception", 25, 224, {"channels": 10}),
            facts=_FIXED,
        ),
    )

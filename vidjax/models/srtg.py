"""The thesis' networks with Squeeze and Recursion Temporal Gates (Stergiou, thesis, chapter 4).

They are the thesis' own backbones with a gate after each block (`final`), as in all of its results
after table 4.1. Any other residual network takes the gates by the option `srtg`.
"""

from __future__ import annotations

import dataclasses

from vidjax.models import r2plus1d, resnet3d
from vidjax.models.cards import Family

_NOTES = (
    " A gate with two layers of LSTM cells follows each block. The networks of all published "
    "results always fuse (gate='none', the default); the thesis' text tests each clip "
    "(gate='hard'). With 16 frames the last stage has a single frame, so its gates are always "
    "open. Before November 2020 the code had no max-pool after the stem: with stem_pool=False the "
    "last stage has two frames."
)


def _gated(family: Family) -> Family:
    notes = family.facts["notes"] + _NOTES
    return dataclasses.replace(
        family, facts={**family.facts, "notes": notes}, defaults={"srtg": "final"}
    )


_R3D = _gated(resnet3d.E1)
_R2PLUS1D = _gated(r2plus1d.E1)

VARIANTS = (
    _R3D.variant(
        "srtg_r3d_34", resnet3d.e1_shape(34), 83_861_072, 42_676_723_712, "thesis 4.2: 83.8 / 26.6"
    ),
    _R3D.variant(
        "srtg_r3d_50", resnet3d.e1_shape(50), 56_904_656, 26_498_375_680, "thesis 4.2: 56.9 / 52.7"
    ),
    _R3D.variant(
        "srtg_r3d_101",
        resnet3d.e1_shape(101),
        107_135_440,
        39_199_252_480,
        "thesis 4.2: 107.1 / 78.1",
    ),
    _R2PLUS1D.variant(
        "srtg_r2plus1d_34",
        r2plus1d.shape(34),
        82_011_629,
        40_310_423_552,
        "thesis 4.2: 82.1 / 37.8",
    ),
    _R2PLUS1D.variant(
        "srtg_r2plus1d_50",
        r2plus1d.shape(50),
        55_043_255,
        24_861_157_888,
        "thesis 4.2: 55.0 / 83.4",
    ),
    _R2PLUS1D.variant(
        "srtg_r2plus1d_101",
        r2plus1d.shape(101),
        105_293_623,
        37_562_034_688,
        "thesis 4.2: 105.3 / 163.1",
    ),
)

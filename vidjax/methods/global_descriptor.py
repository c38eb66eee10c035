"""Inserts compact global descriptors into every block (He et al., 2019).

The Random Mean Scaling paper compares with them (table 3). They come after the first convolution of
a block, before its norm, as in the authors' image networks.
"""

from __future__ import annotations

from typing import Any

from vidjax.layers.global_descriptor import GlobalDescriptor
from vidjax.slots import (
    STAGES,
    AllSlots,
    Option,
    Places,
    Points,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
)


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts them before the first norm of each block."""
    values = option_settings("cgd", value)
    stages = pop_stages("cgd", values, places)
    make = module_factory("cgd", GlobalDescriptor, values, {}, more=("stages",))
    points = Points(("norm1",), ("norm1",))
    return insert_module("cgd", slots, stages, "before_norm", make, points=points)


OPTIONS = (
    Option(
        "cgd",
        fill,
        "a mapping of settings; {} gives the paper's values",
        "compact global descriptors: channels weighted by means and maxima over the clip",
        STAGES,
        rank=35,
    ),
)

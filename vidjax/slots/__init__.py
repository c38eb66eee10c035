"""Where methods reach a network: the slots of its blocks, and what puts modules into them.

Authors of methods import from here; `vidjax.methods` says what a method's file has.
"""

from vidjax.docstrings import settings_of
from vidjax.slots.block import PLACEMENTS, Make, Points, Slots, end
from vidjax.slots.module_insertion import AllSlots, filled, hashable, maker, values_of
from vidjax.slots.option import Option, Reading
from vidjax.slots.places import STAGES, Places, Stages, take_points, take_stages

__all__ = [
    "PLACEMENTS",
    "STAGES",
    "AllSlots",
    "Make",
    "Option",
    "Places",
    "Points",
    "Reading",
    "Slots",
    "Stages",
    "end",
    "filled",
    "hashable",
    "maker",
    "settings_of",
    "take_points",
    "take_stages",
    "values_of",
]

"""Slots: the points of a network's blocks where methods insert their modules.

Authors of methods import from here; `vidjax.methods` describes a method's file.
"""

from vidjax.docstrings import settings_of
from vidjax.slots.block import PLACEMENTS, Make, Points, Slots, end
from vidjax.slots.module_insertion import (
    AllSlots,
    as_tuples,
    insert_module,
    module_factory,
    option_settings,
)
from vidjax.slots.option import Guesses, Option, Reading
from vidjax.slots.places import STAGES, Places, Stages, parse_points, pop_stages

__all__ = [
    "PLACEMENTS",
    "STAGES",
    "AllSlots",
    "Guesses",
    "Make",
    "Option",
    "Places",
    "Points",
    "Reading",
    "Slots",
    "Stages",
    "as_tuples",
    "end",
    "insert_module",
    "module_factory",
    "option_settings",
    "parse_points",
    "pop_stages",
    "settings_of",
]

"""Inserts non-local blocks into res3 and res4 (Wang et al., CVPR 2018, section 4).

They follow every second block. `non_local` adds them as published, `cgnl` in the compact
generalised form of Yue et al. (NeurIPS 2018), with which the Random Mean Scaling paper compares
(table 3).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from vidjax.docstrings import settings_of
from vidjax.layers.compact_non_local import CompactNonLocal
from vidjax.layers.non_local import IMPLEMENTATIONS, SIMILARITIES, NonLocal
from vidjax.settings import Kind, Setting, boolean, check, one_of, whole
from vidjax.slots import (
    AllSlots,
    Option,
    Places,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
)

SETTINGS: Mapping[str, Mapping[str, Kind]] = {
    "non_local": {
        "variant": one_of(*IMPLEMENTATIONS),
        "similarity": one_of(*SIMILARITIES),
        "zero_init": boolean(),
    },
    "cgnl": {"channel_groups": whole(1, 65_536), "zero_init": boolean()},
}
MODULES: Mapping[str, Any] = {"non_local": NonLocal, "cgnl": CompactNonLocal}
# More blocks than a stage of any network.
_MOST = 1000
_EVERY = whole(1, _MOST)
_USUAL, _STAGES = 2, (2, 3)


def fill(option: str, slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts them after every second block of stages 2 and 3, after its activation."""
    values = option_settings(option, value)
    every = values.pop("every", None)
    check({} if every is None else {"every": every}, {"every": _EVERY}, f"{option} ")
    usual = tuple(own for own in _STAGES if own not in places.empty)
    if "stages" not in values and usual:
        values["stages"] = usual
    stages = pop_stages(option, values, places)
    every = _every(option, every, stages, places)
    kinds = SETTINGS[option]
    make = module_factory(option, MODULES[option], values, kinds, more=("stages", "every"))
    blocks = tuple(range(every, _MOST, every))
    return insert_module(option, slots, stages, "gate", make, placement="final", gate_blocks=blocks)


def _every(option: str, given: int | None, stages: tuple[int, ...], places: Places) -> int:
    """Returns the interval of blocks between two non-local blocks.

    Raises:
      ValueError: no stage has that many blocks.
    """
    most = places.deepest(stages)
    if given is None:
        return _USUAL if most is None else min(_USUAL, most)
    if most is not None and given > most:
        raise ValueError(
            f"{option} every = {given}: no block would get one, because stages {stages} have at "
            f"most {most} block{'s' * (most != 1)}; set it to {most} or less"
        )
    return given


def _option(name: str, meaning: str) -> Option:
    where = {
        "every": Setting(
            _USUAL,
            _EVERY.text,
            "insert one after every so many blocks of a stage; if left out, 2, or 1 if no stage "
            "has two",
        ),
        "stages": Setting(
            ...,
            "a tuple of distinct stage numbers, such as (3, 4)",
            "stages to insert them in; if left out, 2 and 3, which the papers call res3 and res4",
        ),
    }
    return Option(
        name,
        functools.partial(fill, name),
        "a mapping of settings; {} gives the paper's values",
        meaning,
        {**settings_of(SETTINGS[name], MODULES[name]), **where},
        rank=50,
    )


OPTIONS = (
    _option("non_local", "non-local blocks: each position attends to all others"),
    _option("cgnl", "compact generalised non-local blocks: attention over positions and channels"),
)

"""What the options of methods put into the slots of a network's stages.

Each function here maps the slots of all stages, an option's value and the places of a network to
slots, and refuses what means nothing with a ValueError.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from vidjax.methods import class_regularization, multi_temporal, random_mean_scaling, temporal_gates
from vidjax.methods.class_regularization import AFFECTION, FORMS, ClassRegularization
from vidjax.methods.multi_temporal import MTConv
from vidjax.methods.random_mean_scaling import RandomScaling
from vidjax.methods.residual_drop import residual_drop
from vidjax.methods.temporal_gates import TemporalGate
from vidjax.models.places import Places, take_points, take_stages
from vidjax.models.slots import PLACEMENTS, Points, Slots
from vidjax.names import nearest
from vidjax.settings import check, check_used, one_of, shown

# Fields of modules that are not for users: flax's, and what a block says of a convolution.
OF_BLOCKS = {"name", "parent", "features", "kernel_size", "strides", "groups", "norm", "depth"}
AllSlots = tuple[Slots, ...]


def scale_at_random(slots: AllSlots, option: Any, places: Places) -> AllSlots:
    """Into the branches of the last two stages with blocks, res4 and res5 (RMS, section 4.1)."""
    values = _values("random_scaling", option)
    points = Points(basic=("norm1", "norm2"), bottleneck=("norm3",))
    if "at" in values:
        at = take_points("random_scaling", values.pop("at"), places)
        points = dataclasses.replace(points, **{places.block: at})
    stages = take_stages("random_scaling", values, places, last=2)
    make = _maker("random_scaling", RandomScaling, values, random_mean_scaling, ("at", "stages"))
    return _fill("random_scaling", slots, stages, "before_norm", make, points=points)


def drop_branches(slots: AllSlots, option: Any, places: Places) -> AllSlots:
    """Into all branches."""
    return _fill("residual_drop", slots, places.stages, "branch_drop", residual_drop(option))


def regularize(slots: AllSlots, option: Any, places: Places) -> AllSlots:
    """At the end of stages (thesis) or of their blocks, without ReLU (ICIP)."""
    values = _values("class_reg", option)
    check(values, {"form": one_of(*FORMS)}, "class_reg ")
    values = {**FORMS[values.pop("form", "thesis")], **values}
    check(values, {"after": one_of("stage", "block")}, "class_reg ")
    after = values.pop("after")
    named = values.get("stages", places.stages)
    stages = take_stages("class_reg", values, places)
    rates = values.pop("affection", tuple(AFFECTION[stage - 1] for stage in named))
    if not isinstance(rates, tuple) or len(rates) != len(named):
        raise ValueError(
            f"class_reg affection = {shown(rates)}: {len(named)} numbers, one for each of the "
            f"stages {', '.join(map(str, named))}"
        )
    for stage, rate in zip(named, rates, strict=True):
        own = {**values, "affection": rate}
        more = ("form", "after", "stages", "affection")
        make = _maker("class_reg", ClassRegularization, own, class_regularization, more)
        if stage in stages:
            slots = _fill("class_reg", slots, (stage,), f"after_{after}", make)
    return slots


def gate_in_time(slots: AllSlots, option: Any, places: Places) -> AllSlots:
    """At one placement in all blocks: its name, or a mapping that has more settings."""
    values = _values("srtg", option if isinstance(option, Mapping) else {"placement": option})
    placement = values.pop("placement", "final")
    where = "srtg placement" if isinstance(option, Mapping) else "srtg"
    check({where: placement}, {where: one_of(*PLACEMENTS)})
    if placement == "top" and places.block == "basic":
        known = ", ".join(name for name in PLACEMENTS if name != "top")
        raise ValueError(f"srtg = 'top' is for bottlenecks; a basic block has {known}")
    stages = take_stages("srtg", values, places)
    # Which settings have an effect is known when the gates' own options have been read.
    make = _maker("srtg", TemporalGate, values, temporal_gates, ("placement", "stages"), used=False)
    return _fill("srtg", slots, stages, "gate", make, placement=placement)


def gate_setting(name: str) -> Callable[[AllSlots, Any, Places], AllSlots]:
    """What fills in one setting of the gates that are there already."""

    def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
        del places
        if not any(slot.has("gate") for slot in slots):
            raise ValueError(f"{name} = {shown(value)} without srtg: there is no gate")
        check({name: value}, temporal_gates.SETTINGS)
        change = functools.partial(_with, **{name: value})
        return tuple(slot.changed("gate", change) for slot in slots)

    return fill


def check_gates(slots: AllSlots) -> None:
    """Refuses settings of gates that other settings leave without an effect."""
    for slot in slots:
        for _, own in slot.each():
            if isinstance(own.gate, functools.partial):
                given = own.gate.keywords
                check_used(given, vars(TemporalGate(**given)), temporal_gates.NEEDS, "srtg ")


def convolve_twice(slots: AllSlots, option: Any, places: Places) -> AllSlots:
    """In the place of the convolutions in space and time (table 5.2)."""
    values = _values("multi_temporal", option)
    stages = take_stages("multi_temporal", values, places)
    make = _maker("multi_temporal", MTConv, values, multi_temporal, ("stages",), features=0)
    return _fill("multi_temporal", slots, stages, "conv", make)


def hashable(value: Any) -> Any:
    """Lists, such as configurations hold, as tuples, such as a module needs."""
    return tuple(map(hashable, value)) if isinstance(value, (list, tuple)) else value


def _values(method: str, option: Any) -> dict[str, Any]:
    if not isinstance(option, Mapping):
        raise ValueError(f"{method} = {shown(option)}: a mapping of settings, {{}} for the paper's")
    return {key: hashable(value) for key, value in option.items()}


def _maker(
    method: str,
    module: type,
    values: Mapping[str, Any],
    tables: ModuleType,
    more: tuple[str, ...],
    *,
    used: bool = True,
    **needed: Any,
) -> Callable[..., Any]:
    """Makes modules of a method, once it is known that it has such settings.

    Args:
      method: name of the option.
      module: class of the modules.
      values: settings.
      tables: of the method, with `SETTINGS` and, where some need others, `NEEDS`.
      more: settings of where the modules go.
      used: whether to refuse settings without an effect.
      **needed: what a module cannot be made without.
    """
    known = {item.name for item in dataclasses.fields(module)} - OF_BLOCKS
    for key in values:
        if key not in known:
            near = nearest(key, known | set(more))
            raise ValueError(f"{method} has no setting {key!r}: {near}")
    check(values, tables.SETTINGS, f"{method} ")
    if used:
        complete = vars(module(**values, **needed))
        check_used(values, complete, getattr(tables, "NEEDS", {}), f"{method} ")
    return functools.partial(module, **values)


def _with(make: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    return functools.partial(make, **settings)


def _fill(
    method: str, slots: AllSlots, stages: Iterable[int], name: str, make: Any, **where: Any
) -> AllSlots:
    """The slots of all stages with one more module in a slot of some of them."""
    filled = list(slots)
    for stage in stages:
        try:
            filled[stage - 1] = slots[stage - 1].filled(name, make, **where)
        except ValueError as error:
            raise ValueError(f"{method} in stage {stage}: {error}") from None
    return tuple(filled)

"""What the options of methods put into the slots of a network's stages.

Each function here maps the slots of all stages, an option's value and the numbers of the
network's stages to slots, and refuses what means nothing with a ValueError.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vidjax.methods import class_regularization, random_mean_scaling
from vidjax.methods import multi_temporal as multi_temporal_method
from vidjax.methods import temporal_gates as temporal_gates_method
from vidjax.methods.class_regularization import AFFECTION, FORMS, ClassRegularization
from vidjax.methods.multi_temporal import MTConv
from vidjax.methods.random_mean_scaling import RandomScaling
from vidjax.methods.residual_drop import residual_drop
from vidjax.methods.temporal_gates import TemporalGate
from vidjax.models.listing import nearest
from vidjax.models.slots import PLACEMENTS, Points, Slots

# Fields of modules that are not for users: flax's, and what a block says of a convolution.
OF_BLOCKS = {"name", "parent", "features", "kernel_size", "strides", "groups", "norm", "depth"}
AllSlots = tuple[Slots, ...]
Stages = tuple[int, ...]


def random_scaling(slots: AllSlots, option: Any, present: Stages) -> AllSlots:
    """Into the branches of the last two stages, res4 and res5 in the paper (section 4.1)."""
    values = _values("random_scaling", option)
    best = Points(basic=("norm1", "norm2"), bottleneck=("norm3",))
    at = values.pop("at", None)
    if at is not None and (not isinstance(at, tuple) or not at):
        raise ValueError(f"random_scaling at = {at!r}: a tuple of points, such as ('norm3',)")
    points = Points(basic=at, bottleneck=at) if at else best
    stages = _stages("random_scaling", values.pop("stages", present[-2:]), present)
    make = _settings("random_scaling", RandomScaling, values, ("at", "stages"))
    random_mean_scaling.check(make())
    return _fill(slots, stages, before_norm=make, points=points)


def drop_branches(slots: AllSlots, option: Any, present: Stages) -> AllSlots:
    """Into all branches."""
    return _fill(slots, present, branch_drop=residual_drop(option))


def class_reg(slots: AllSlots, option: Any, present: Stages) -> AllSlots:
    """At the end of stages (thesis) or of their blocks, without ReLU (ICIP)."""
    values = _values("class_reg", option)
    form = values.pop("form", "thesis")
    if form not in FORMS:
        raise ValueError(f"class_reg form = {form!r}: one of {', '.join(FORMS)}")
    values = {**FORMS[form], **values}
    after = values.pop("after")
    if after not in ("stage", "block"):
        raise ValueError(f"class_reg after = {after!r}: one of stage, block")
    stages = _stages("class_reg", values.pop("stages", present), present)
    rates = values.pop("affection", tuple(AFFECTION[stage - 1] for stage in stages))
    if not isinstance(rates, tuple) or len(rates) != len(stages):
        raise ValueError(
            f"class_reg affection = {rates!r}: {len(stages)} numbers, one for each of the stages "
            f"{', '.join(map(str, stages))}"
        )
    settings = ("form", "after", "stages", "affection")
    for stage, rate in zip(stages, rates, strict=True):
        own = {**values, "affection": rate}
        make = _settings("class_reg", ClassRegularization, own, settings)
        class_regularization.check(make())
        slots = _fill(slots, (stage,), **{f"after_{after}": make})
    return slots


def temporal_gates(slots: AllSlots, option: Any, present: Stages) -> AllSlots:
    """At one placement in all blocks: its name, or a mapping that has more settings."""
    values = _values("srtg", option if isinstance(option, Mapping) else {"placement": option})
    placement = values.pop("placement", "final")
    if placement not in PLACEMENTS:
        raise ValueError(f"srtg = {placement!r}: one of {', '.join(PLACEMENTS)}")
    stages = _stages("srtg", values.pop("stages", present), present)
    make = _settings("srtg", TemporalGate, values, ("placement", "stages"))
    temporal_gates_method.check(make())
    return _fill(slots, stages, gate=make, placement=placement)


def gate_setting(name: str) -> Callable[[AllSlots, Any, Stages], AllSlots]:
    """What fills in one setting of the gates that are there already."""

    def fill(slots: AllSlots, value: Any, present: Stages) -> AllSlots:
        if not any(slot.gate for slot in slots):
            raise ValueError(f"{name} = {value!r} without srtg: there is no gate")
        for number, slot in enumerate(slots, start=1):
            if slot.gate is not None:
                make = functools.partial(slot.gate, **{name: value})
                temporal_gates_method.check(make())
                slots = _fill(slots, (number,), gate=make)
        return slots

    return fill


def multi_temporal(slots: AllSlots, option: Any, present: Stages) -> AllSlots:
    """In the place of the convolutions in space and time (table 5.2)."""
    values = _values("multi_temporal", option)
    stages = _stages("multi_temporal", values.pop("stages", present), present)
    make = _settings("multi_temporal", MTConv, values, ("stages",))
    multi_temporal_method.check(make(features=0))
    return _fill(slots, stages, conv=make)


def hashable(value: Any) -> Any:
    """Lists, such as configurations hold, as tuples, such as a module needs."""
    return tuple(map(hashable, value)) if isinstance(value, (list, tuple)) else value


def _values(method: str, option: Any) -> dict[str, Any]:
    if not isinstance(option, Mapping):
        raise ValueError(f"{method} = {option!r}: a mapping of settings, {{}} for the paper's")
    return {key: hashable(value) for key, value in option.items()}


def _settings(
    method: str, module: type, values: Mapping[str, Any], more: tuple[str, ...]
) -> Callable[..., Any]:
    """Makes modules of a method, once it is known that it has such settings.

    There may be more settings, of where the modules go.
    """
    known = {item.name for item in dataclasses.fields(module)} - OF_BLOCKS
    for key in values:
        if key not in known:
            near = nearest(key, known | set(more))
            raise ValueError(f"{method} has no setting {key!r}: {near}")
    return functools.partial(module, **values)


def _stages(method: str, stages: Any, present: Stages) -> Stages:
    if not isinstance(stages, tuple) or not stages or len(set(stages)) < len(stages):
        raise ValueError(f"{method} stages = {stages!r}: a tuple of different ones, as (3, 4)")
    for stage in stages:
        if stage not in present:
            known = ", ".join(map(str, present))
            raise ValueError(f"{method} in stage {stage!r}: this network's stages are {known}")
    return stages


def _fill(slots: AllSlots, stages: Iterable[int], **values: Any) -> AllSlots:
    """The slots of some stages with other contents."""
    return tuple(
        dataclasses.replace(slot, **values) if number in stages else slot
        for number, slot in enumerate(slots, start=1)
    )

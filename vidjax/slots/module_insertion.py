"""Inserts the modules of a method into slots, with settings from an option's value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vidjax.settings import Kind, check, check_used, shown
from vidjax.slots.block import Slots
from vidjax.untrusted_names import nearest

# Fields that users cannot set: flax's own, and those that a block sets for a convolution.
OF_BLOCKS = {"name", "parent", "features", "kernel_size", "strides", "groups", "norm", "depth"}
AllSlots = tuple[Slots, ...]


def as_tuples(value: Any) -> Any:
    """Converts lists, as in configurations, to tuples, as modules need them."""
    return tuple(map(as_tuples, value)) if isinstance(value, (list, tuple)) else value


def option_settings(option: str, value: Any) -> dict[str, Any]:
    """Returns the settings in an option's value, a mapping; lists become tuples.

    Raises:
      ValueError: the value is not a mapping.
    """
    if not isinstance(value, Mapping):
        raise ValueError(
            f"{option} = {shown(value)}: expected a mapping of settings, {{}} for the paper's"
        )
    return {key: as_tuples(one) for key, one in value.items()}


def module_factory(
    option: str,
    module: type,
    values: Mapping[str, Any],
    kinds: Mapping[str, Kind],
    needs: Mapping[str, Mapping[str, Kind]] | None = None,
    *,
    more: Iterable[str] = (),
    used: bool = True,
    **needed: Any,
) -> Callable[..., Any]:
    """Returns a factory of a method's modules, after checking the settings.

    Args:
      option: name of the option.
      module: class of the modules.
      values: the settings.
      kinds: allowed values of the settings, by name.
      needs: by the name of a setting, what others must be for it to have an effect.
      more: settings of where the modules go, which the error for an unknown setting also suggests.
      used: whether to refuse settings without an effect.
      **needed: arguments without which a module cannot be created.

    Raises:
      ValueError: a setting is unknown, is not allowed, or has no effect.
    """
    known = {item.name for item in dataclasses.fields(module)} - OF_BLOCKS
    for key in values:
        if key not in known:
            near = nearest(key, known | set(more))
            raise ValueError(f"{option} has no setting {key!r}: {near}")
    check(values, kinds, f"{option} ")
    if used:
        complete = vars(module(**values, **needed))
        check_used(values, complete, needs or {}, f"{option} ")
    return functools.partial(module, **values)


def insert_module(
    option: str, slots: AllSlots, stages: Iterable[int], slot: str, make: Any, **where: Any
) -> AllSlots:
    """Returns the slots of all stages, with one more module in a slot of some of them.

    Args:
      option: name of the option.
      slots: slots of all stages.
      stages: numbers of the stages that get the module, from 1.
      slot: name of the slot, as in `Slots`.
      make: factory of the module.
      **where: `points`, `placement` or `gate_blocks`.

    Raises:
      ValueError: the slot holds only one module, and is taken.
    """
    result = list(slots)
    for stage in stages:
        try:
            result[stage - 1] = slots[stage - 1].filled(slot, make, **where)
        except ValueError as error:
            raise ValueError(f"{option} in stage {stage}: {error}") from None
    return tuple(result)

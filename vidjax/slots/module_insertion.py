"""How a method fills slots: it reads an option's value, and puts a module into some stages."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vidjax.settings import Kind, check, check_used, shown
from vidjax.slots.block import Slots
from vidjax.untrusted_names import nearest

# Fields of modules that are not for users: flax's, and what a block says of a convolution.
OF_BLOCKS = {"name", "parent", "features", "kernel_size", "strides", "groups", "norm", "depth"}
AllSlots = tuple[Slots, ...]


def hashable(value: Any) -> Any:
    """Lists, such as configurations hold, as tuples, such as a module needs."""
    return tuple(map(hashable, value)) if isinstance(value, (list, tuple)) else value


def values_of(option: str, value: Any) -> dict[str, Any]:
    """The settings that an option's value is a mapping of, lists in it as tuples.

    Raises:
      ValueError: it is no mapping.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{option} = {shown(value)}: a mapping of settings, {{}} for the paper's")
    return {key: hashable(one) for key, one in value.items()}


def maker(
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
    """Makes modules of a method, once it is known that it has such settings.

    Args:
      option: its name.
      module: class of the modules.
      values: settings.
      kinds: what they may be.
      needs: for the name of a setting, what others must be so that it has an effect.
      more: settings of where the modules go, to be named where one is unknown.
      used: whether to refuse settings without an effect.
      **needed: what a module cannot be made without.

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


def filled(
    option: str, slots: AllSlots, stages: Iterable[int], slot: str, make: Any, **where: Any
) -> AllSlots:
    """The slots of all stages with one more module in a slot of some of them.

    Args:
      option: its name.
      slots: of all stages.
      stages: numbers of those that get the module, from 1.
      slot: name of the slot, as in `Slots`.
      make: makes the module.
      **where: `points`, `placement` or `gate_blocks`.

    Raises:
      ValueError: the slot holds one module only, and is taken.
    """
    result = list(slots)
    for stage in stages:
        try:
            result[stage - 1] = slots[stage - 1].filled(slot, make, **where)
        except ValueError as error:
            raise ValueError(f"{option} in stage {stage}: {error}") from None
    return tuple(result)

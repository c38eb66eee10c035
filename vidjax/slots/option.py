"""What a method declares: an option of `create_model` and what it puts into the slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from vidjax.settings import Setting
from vidjax.slots.module_insertion import AllSlots
from vidjax.slots.places import Places

Reading = Callable[[Mapping[str, Any], jax.Array], dict[str, jax.Array]]


@dataclass(frozen=True)
class Option:
    """An option of `create_model` that puts a method into a network.

    Attributes:
      name: of the option.
      fill: maps the slots of all stages, the option's value and the network's places to slots.
        It raises ValueError in one line for a value that is not allowed.
      allowed: what the value may be, as text.
      meaning: what it does, in a sentence.
      settings: those that the value may be a mapping of, by name.
      reading: maps what a network has sown into `intermediates`, and its logits, to what is
        worth a line in the log: named values `[B]`, of which the mean is taken.
      several: whether the option may have several values, in a tuple or list.
      check: called with the slots when all options have filled theirs; raises ValueError where
        settings have no effect.
      rank: options of lower rank fill the slots first, and the modules in a slot run in this
        order. Among equal ranks those of vidjax come first, then the names of modules decide.
    """

    name: str
    fill: Callable[[AllSlots, Any, Places], AllSlots]
    allowed: str
    meaning: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    reading: Reading | None = None
    several: bool = True
    check: Callable[[AllSlots], None] | None = None
    rank: int = 100

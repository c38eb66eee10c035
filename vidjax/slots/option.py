"""The declaration of a method: an option of `create_model`, and what it inserts into slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from vidjax.settings import Setting
from vidjax.slots.module_insertion import AllSlots
from vidjax.slots.places import Places

Reading = Callable[[Mapping[str, Any], jax.Array], dict[str, jax.Array]]
Guesses = Callable[[Mapping[str, Any]], dict[str, jax.Array]]


@dataclass(frozen=True)
class Option:
    """An option of `create_model` that inserts a method into a network.

    Attributes:
      name: name of the option.
      fill: function of the slots of all stages, the option's value and the network's places that
        returns new slots. It raises a one-line ValueError for a value that is not allowed.
      allowed: allowed values, as text.
      meaning: what the option does, in a sentence.
      settings: settings by name, if the value may be a mapping.
      reading: function of the values that a network has sown into `intermediates`, and its logits,
        that returns named values `[B]`; their means are logged.
      guesses: function of the same values that returns the classes, int `[B]`, predicted by modules
        inside the network; their accuracy is logged as `right/<name>`.
      several: whether the option may have several values, in a tuple or list.
      check: called with the slots when all options have filled theirs; raises ValueError if
        settings have no effect.
      rank: options of lower rank fill the slots first, and the modules in a slot run in this order.
        Among equal ranks those of vidjax come first, then the order of module names.
    """

    name: str
    fill: Callable[[AllSlots, Any, Places], AllSlots]
    allowed: str
    meaning: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    reading: Reading | None = None
    guesses: Guesses | None = None
    several: bool = True
    check: Callable[[AllSlots], None] | None = None
    rank: int = 100

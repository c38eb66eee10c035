"""Old names of options, which still work: whoever uses one is told the new name."""

from __future__ import annotations

import functools
from collections.abc import Container, Mapping
from typing import Any

from vidjax.terminal import complain

# Version 0.1.0 had `form` for the implementation of a network and for the text of a method.
RENAMED = {"form": "variant"}


def with_new_names(
    options: Mapping[str, Any], known: Container[str], where: str = ""
) -> dict[str, Any]:
    """Replaces old names of options by new ones.

    Args:
      options: values by name.
      known: names that exist; an old name among them is another option, and stays.
      where: prefix of a name in messages, such as `class_reg `.

    Raises:
      ValueError: an option has both its old and its new name.
    """
    found = {}
    for name, value in options.items():
        new = RENAMED.get(name, name)
        if new == name or name in known or new not in known:
            new = name
        elif new in options:
            raise ValueError(
                f"{where}{name} is now called {new}, and both are given; leave out {name}"
            )
        else:
            _announce(where, name, new)
        found[new] = value
    return found


def has_old_names(options: Any) -> bool:
    """Whether any name in options, or in the settings in their values, is an old one."""
    if isinstance(options, Mapping):
        return not RENAMED.keys().isdisjoint(options) or any(map(has_old_names, options.values()))
    return isinstance(options, (tuple, list)) and any(map(has_old_names, options))


@functools.cache
def _announce(where: str, old: str, new: str) -> None:
    """Prints the new name, once per process."""
    complain(f"the option {where}{old} is now called {where}{new}")

"""Accepts old names of options, and tells the user the new ones."""

from __future__ import annotations

import functools
from collections.abc import Container, Mapping
from typing import Any

from vidjax.terminal import complain

# Version 0.1.0 had `form` for the implementation of a network and for the text of a method.
RENAMED = {"form": "variant"}


def with_new_settings(
    options: Mapping[str, Any], own: Container[str], methods: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Replaces old names of options, and of the settings in the values of methods.

    Args:
      options: as in `create_model`, or as an older version has stored them.
      own: names of the network's own options.
      methods: for each method, the settings that it has.

    Raises:
      ValueError: an option has both its old and its new name.
    """
    return {
        key: _of_method(key, value, methods[key]) if key in methods else value
        for key, value in with_new_names(options, own).items()
    }


def _of_method(option: str, value: Any, known: Container[str]) -> Any:
    """Replaces old names in the value of a method, which may be a mapping or several."""
    if isinstance(value, (tuple, list)):
        return type(value)(_of_method(option, each, known) for each in value)
    return with_new_names(value, known, f"{option} ") if isinstance(value, Mapping) else value


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
    """Returns whether any name in options, or in the settings in their values, is an old one."""
    if isinstance(options, Mapping):
        return not RENAMED.keys().isdisjoint(options) or any(map(has_old_names, options.values()))
    return isinstance(options, (tuple, list)) and any(map(has_old_names, options))


@functools.cache
def _announce(where: str, old: str, new: str) -> None:
    """Prints the new name, once per process."""
    complain(f"the option {where}{old} is now called {where}{new}")

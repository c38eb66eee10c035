"""Converts the values of settings to their declared types."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from vidjax.settings import shown

# Names of the types of settings in errors.
_KINDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    tuple[float, ...]: "3 numbers",
    tuple[int, int]: "2 whole numbers",
    type(None): "None",
}


_OPTION = re.compile("[A-Za-z][A-Za-z0-9_]{0,99}")


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type or not allowed."""


def typed(kind: Any, value: Any, path: str) -> Any:
    """Converts a value to its setting's type: whole numbers become floats, lists become tuples.

    Args:
      kind: the type, as in the classes of `vidjax.run.config`.
      value: value of the setting.
      path: path of the setting, for errors.

    Raises:
      ConfigError: the value is of another type.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(args, value, path)
    if origin is tuple:
        return _tuple(args, value, path)
    if origin is not None:
        # In a dict the order counts.
        return _options(_as_given(value) if origin is dict else value, path)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{path} = {shown(value)}: {_KINDS.get(kind, kind.__name__)} is expected")
    return value


def _union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    for kind in kinds:
        try:
            return None if kind is type(None) and value is None else typed(kind, value, path)
        except ConfigError:
            continue
    names = " or ".join(_KINDS.get(kind, str(kind)) for kind in kinds)
    raise ConfigError(f"{path} = {shown(value)}: {names} is expected")


def _tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{path} = {shown(value)}: a tuple is expected")
    if kinds[-1] is not ... and len(value) != len(kinds):
        raise ConfigError(f"{path} = {shown(value)}: {len(kinds)} values are expected")
    kind = kinds[0]
    return tuple(typed(kind, item, path) for item in value)


def _as_given(value: Any) -> Any:
    """Returns a mapping in the given order; a `ConfigDict` keeps that order but shows it sorted."""
    # Benchmarks configure nothing and run where there is no ml_collections.
    from ml_collections import ConfigDict

    keys = vars(value).get("_fields") if isinstance(value, ConfigDict) else None
    return value if keys is None else {name: value[name] for name in keys}


def _options(value: Any, path: str) -> dict[str, Any]:
    """Returns model or data options as plain dicts and lists."""
    if not hasattr(value, "items"):
        raise ConfigError(f"{path} = {shown(value)}: options by name are expected")
    for name in value:
        # Other names cannot be options, and would break the paths of settings.
        if not isinstance(name, str) or not _OPTION.fullmatch(name):
            raise ConfigError(f"{path} has {shown(name)}, which is not a name of an option")
    return {name: _plain(item, f"{path}.{name}") for name, item in value.items()}


def _plain(value: Any, path: str) -> Any:
    if hasattr(value, "items"):
        return _options(value, path)
    return list(value) if isinstance(value, (list, tuple)) else value

"""Parts of a network, identified by names in the paths of its parameters.

A part is a name such as `layer1` or `bias`, or the beginning of a name before an underscore: `stem`
also means `stem_layer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax

from vidjax.run.typed_values import ConfigError
from vidjax.untrusted_names import nearest

Params = Any


def names(path: Sequence[Any]) -> list[str]:
    """Returns the names in a JAX path."""
    return [str(part.key) for part in path]


def is_called(name: str, part: str) -> bool:
    """Returns whether a name in a path belongs to a part."""
    return name == part or name.startswith(f"{part}_")


def innermost(path: Sequence[str], parts: Iterable[str]) -> str | None:
    """Returns the part that is deepest in a path; of several at one depth, the longest."""
    found = [
        (place, len(part), part)
        for place, name in enumerate(path)
        for part in parts
        if is_called(name, part)
    ]
    return max(found)[2] if found else None


def check_known(params: Params, parts: Iterable[str], setting: str) -> None:
    """Refuses a part that matches no parameter.

    Args:
      params: a network's parameters.
      parts: names of parts.
      setting: the setting that names them.

    Raises:
      ConfigError: names the part and the nearest existing one.
    """
    known = {
        name for path, _ in jax.tree_util.tree_leaves_with_path(params) for name in names(path)
    }
    for part in parts:
        if not any(is_called(name, part) for name in known):
            known |= {name.partition("_")[0] for name in known}
            raise ConfigError(
                f"{setting} has {part!r}, which no parameter has: {nearest(part, known)}"
            )

"""Configurations, by name: `vidjax train --config=NAME`, `from vidjax.configs import common`.

In a clone they are the files of the folder `configs`. Another package names its own in entry points
of the group `vidjax.configs`: modules with a function `get_config(argument=None)`, which returns
an `ml_collections.ConfigDict` that begins with `common.base()`.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from vidjax import plugins
from vidjax.clone import beside
from vidjax.names import nearest

__path__ += beside(Path(__file__).parent)


def describe() -> dict[str, str]:
    """What each configuration is for, in a line, by name; none is imported.

    Those of other packages that cannot be read are told in a line each.
    """
    here, found = sys.modules[__name__], {}
    for name in plugins.names(here):
        try:
            tree = ast.parse(_file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError) as error:
            plugins.tell(f"configuration {name!r} is left out: {error}")
            continue
        if any(getattr(statement, "name", "") == "get_config" for statement in tree.body):
            found[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def names() -> list[str]:
    """Names of the configurations, sorted."""
    return list(describe())


def load(text: str) -> Any:
    """A configuration by its name.

    Args:
      text: `NAME` or `NAME:ARGUMENTS`, as after `--config=`.

    Returns:
      An `ml_collections.ConfigDict`.

    Raises:
      ValueError: there is no such configuration, or it does not take these arguments.
    """
    name, colon, argument = text.partition(":")
    here = sys.modules[__name__]
    if name not in (known := names()):
        raise ValueError(f"configuration {name!r} is unknown: {nearest(name, known)}")
    get_config = plugins.load(here, name, "configuration").get_config
    return get_config(argument) if colon else get_config()


def _file(name: str) -> Path:
    return plugins.file_of(sys.modules[__name__], name, "configuration")


def __getattr__(name: str) -> Any:
    """Imports a configuration on first use."""
    known = [] if name.startswith("__") else plugins.names(sys.modules[__name__])
    if name not in known:
        raise AttributeError(f"there is no configuration {name!r}: {nearest(name, known)}")
    return plugins.load(sys.modules[__name__], name, "configuration")

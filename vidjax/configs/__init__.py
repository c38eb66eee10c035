"""Configurations, by name: `vidjax train --config=NAME`, `from vidjax.configs import common`.

In a clone they are the files of the folder `configs`. Another package names its own in entry points
of the group `vidjax.configs`: modules with a function `get_config(argument=None)`, which returns
an `ml_collections.ConfigDict` that begins with `common.base()`.
"""

from __future__ import annotations

import runpy
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from vidjax import plugins
from vidjax.source_checkout import beside
from vidjax.storage.paths import is_url
from vidjax.untrusted_names import nearest

if typing.TYPE_CHECKING:
    from ml_collections import ConfigDict

__path__ += beside(Path(__file__).parent)


def names() -> list[str]:
    """Names of the configurations; what they share is a module here too, and has no name.

    Those of other packages that cannot be read are told in a line each.
    """
    return [name for name in plugins.names(_here()) if "def get_config(" in _source(name)]


def parted(text: str) -> tuple[str, str]:
    """The name of a configuration and what stands behind a colon, of `NAME[:key=value,...]`.

    Raises:
      ValueError: it is in a bucket.
    """
    if is_url(text):
        raise ValueError(
            f"{text} is in a bucket: a configuration is a program, and only those of this machine "
            "are run; copy it here first"
        )
    name, _, given = text.partition(":")
    return name, given


def find(name: str) -> Path:
    """The file of a configuration.

    Args:
      name: of one of ours, such as `folder`, or a file, such as `configs/folder.py`.

    Raises:
      ValueError: there is neither; names the nearest. Or several packages have one of that name.
    """
    if Path(name).is_file():
        return Path(name)
    if name in plugins.names(_here()):
        _file(name)
    if name not in names():
        what = f"{name}: there is no such file" if name.endswith(".py") else f"{name} is unknown"
        raise ValueError(f"{what}; {nearest(Path(name).stem, names())}")
    return _file(name)


def load(name: str) -> Callable[[str | None], ConfigDict]:
    """The function `get_config` of a configuration, which takes what stands behind a colon.

    Args:
      name: as in `find`.

    Raises:
      ValueError: there is no such configuration, or the file has no such function.
    """
    if not Path(name).is_file():
        find(name)
        module = plugins.load(_here(), name, "configuration")
        return typing.cast("Callable[[str | None], ConfigDict]", module.get_config)
    found = runpy.run_path(name).get("get_config")
    if found is None:
        raise ValueError(f"{name}: a configuration file needs a function get_config(argument)")
    return found


def _file(name: str) -> Path:
    return plugins.file_of(_here(), name, "configuration")


def _source(name: str) -> str:
    """The text of a configuration, which is not imported; empty if it cannot be read."""
    try:
        return _file(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        plugins.tell(f"configuration {name!r} is left out: {error}")
        return ""


def _here() -> ModuleType:
    return sys.modules[__name__]


def __getattr__(name: str) -> Any:
    """Imports a configuration on first use."""
    known = [] if name.startswith("__") else plugins.names(_here())
    if name not in known:
        raise AttributeError(f"there is no configuration {name!r}: {nearest(name, known)}")
    return plugins.load(_here(), name, "configuration")

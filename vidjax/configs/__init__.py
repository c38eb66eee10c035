"""Configurations by name: `vidjax train --config=NAME`, `from vidjax.configs import common`.

In a clone they are the files in the folder `configs`. Another package adds configurations by entry
points of the group `vidjax.configs`. Each is a module with a function `get_config(argument=None)`,
which starts from `common.base()` and returns an `ml_collections.ConfigDict`.
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
from vidjax.source_checkout import checkout_folder
from vidjax.storage.paths import is_url
from vidjax.terminal import complain
from vidjax.untrusted_names import nearest

if typing.TYPE_CHECKING:
    from ml_collections import ConfigDict

__path__ += checkout_folder(Path(__file__).parent)
# Names that configurations had before.
_RENAMED = {"tune": "finetune"}


def names() -> list[str]:
    """Lists the names of the configurations, without the modules that they share.

    Configurations of other packages that cannot be read are left out with a warning.

    Examples:
      >>> "demo" in names()
      True
    """
    return [name for name in plugins.names(_here()) if "def get_config(" in _source(name)]


def split_argument(text: str) -> tuple[str, str]:
    """Splits `NAME[:key=value,...]` into the name and the arguments after the colon.

    Raises:
      ValueError: the name is a URL.

    Examples:
      >>> split_argument("folder:model=r3d_50,smoke=true")
      ('folder', 'model=r3d_50,smoke=true')
    """
    if is_url(text):
        raise ValueError(
            f"{text} is in a bucket: a configuration is a program, and only programs on this "
            "machine are run; copy it here first"
        )
    name, _, given = text.partition(":")
    return name, given


def find(name: str) -> Path:
    """Returns the file of a configuration.

    Args:
      name: a name, such as `folder`, or the path of a file, such as `configs/folder.py`.

    Raises:
      ValueError: there is no such configuration or file (the message has the nearest name), or
        several packages have a configuration of that name.
    """
    if Path(name).is_file():
        return Path(name)
    name = _new_name(name)
    if name in plugins.names(_here()):
        _file(name)
    if name not in names():
        what = f"{name}: there is no such file" if name.endswith(".py") else f"{name} is unknown"
        raise ValueError(f"{what}; {nearest(Path(name).stem, names())}")
    return _file(name)


def load(name: str) -> Callable[[str | None], ConfigDict]:
    """Returns the function `get_config` of a configuration, which takes the arguments as text.

    Args:
      name: a name or a path, as in `find`.

    Raises:
      ValueError: there is no such configuration, or the file has no such function.

    Examples:
      >>> load("folder")("model=r3d_50").model.name
      'r3d_50'
    """
    if not Path(name).is_file():
        find(name)
        name = _RENAMED.get(name, name)
        module = plugins.load(_here(), name, "configuration")
        return typing.cast("Callable[[str | None], ConfigDict]", module.get_config)
    found = runpy.run_path(name).get("get_config")
    if found is None:
        raise ValueError(f"{name}: a configuration file needs a function get_config(argument)")
    return found


def _new_name(name: str) -> str:
    """Replaces an old name of a configuration and prints the new one."""
    if name not in _RENAMED:
        return name
    complain(f"the configuration {name!r} is now called {_RENAMED[name]!r}")
    return _RENAMED[name]


def _file(name: str) -> Path:
    return plugins.file_of(_here(), name, "configuration")


def _source(name: str) -> str:
    """Reads the text of a configuration without importing it; empty if it cannot be read."""
    try:
        return _file(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        plugins.warn_once(f"configuration {name!r} is left out: {error}")
        return ""


def _here() -> ModuleType:
    return sys.modules[__name__]


def __getattr__(name: str) -> Any:
    """Imports a configuration on first use."""
    known = [] if name.startswith("__") else plugins.names(_here())
    if name not in known:
        raise AttributeError(f"there is no configuration {name!r}: {nearest(name, known)}")
    return plugins.load(_here(), name, "configuration")

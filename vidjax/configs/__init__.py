"""Configurations, by name: `vidjax train --config=NAME`, `from vidjax.configs import common`.

In a clone they are the files of the folder `configs`.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import runpy
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from vidjax.clone import beside
from vidjax.names import nearest

__path__ += beside(Path(__file__).parent)


def names() -> list[str]:
    """Names of the configurations; what they share is a module here too, and has no name."""
    return [name for name in _modules() if "def get_config(" in _file(name).read_text("utf-8")]


def find(name: str) -> Path:
    """The file of a configuration.

    Args:
      name: of one of ours, such as `folder`, or a file, such as `configs/folder.py`.

    Raises:
      ValueError: there is neither; names the nearest.
    """
    if Path(name).is_file():
        return Path(name)
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
        module = importlib.import_module(f"{__name__}.{name}")
        return typing.cast(Callable[[str | None], ConfigDict], module.get_config)
    found = runpy.run_path(name).get("get_config")
    if found is None:
        raise ValueError(f"{name}: a configuration file needs a function get_config(argument)")
    return found


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _file(name: str) -> Path:
    spec = importlib.util.find_spec(f"{__name__}.{name}")
    assert spec is not None
    return Path(str(spec.origin))


def __getattr__(name: str) -> Any:
    """Imports a configuration on first use."""
    if name.startswith("__") or name not in _modules():
        raise AttributeError(f"there is no configuration {name!r}: {nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")

"""Configurations, by name: `vidjax train --config=NAME`, `from vidjax.configs import common`.

In a clone they are the files of the folder `configs`.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from vidjax.clone import beside
from vidjax.names import nearest

__path__ += beside(Path(__file__).parent)


def names() -> list[str]:
    """Names of the configurations."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def __getattr__(name: str) -> Any:
    """Imports a configuration on first use."""
    if name.startswith("__") or name not in names():
        raise AttributeError(f"there is no configuration {name!r}: {nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")

"""What extends vidjax: modules in the folders of its packages, and modules of other packages.

A network, a method, a data set, an augmentation, a writer is one module each. Where it lies is
the same to its users: a file in a package of vidjax, a module that another distribution names in
an entry point of the package's name,

    [project.entry-points."vidjax.models"]
    my_network = "my_package.my_network"

or, in a notebook, whatever has the attributes of such a module, given to `register`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from vidjax.names import nearest


class PluginError(ValueError):
    """A module of another package cannot be used."""


_registered: dict[str, dict[str, Any]] = {}


def register(package: str, name: str, module: Any) -> None:
    """Makes a module part of a package of vidjax, for as long as the process lives.

    Args:
      package: such as `vidjax.models`.
      name: of the module there.
      module: a module, or an object with its attributes.

    Raises:
      PluginError: the package has another module of that name.
    """
    home = importlib.import_module(package)
    known = _registered.get(package, {}).get(name)
    if known is not module and name in names(home):
        raise PluginError(f"{package} has a module {name!r} already; choose another name")
    _registered.setdefault(package, {})[name] = module


def names(package: ModuleType) -> list[str]:
    """Names of a package's modules, its own and others', sorted; none is imported.

    Raises:
      PluginError: two of them have one name.
    """
    own = [module.name for module in pkgutil.iter_modules(package.__path__)]
    others = [*_points(package.__name__), *_registered.get(package.__name__, {})]
    if twice := sorted({name for name in others if (own + others).count(name) > 1}):
        raise PluginError(
            f"{package.__name__} has several modules {twice[0]!r}{_whose(package, twice[0])}"
        )
    return sorted(own + others)


def load(package: ModuleType, name: str, what: str = "module") -> Any:
    """A package's module by its name.

    Args:
      package: of vidjax.
      name: of the module.
      what: what the module is called in an error.

    Raises:
      PluginError: there is no such module, or one of another distribution cannot be imported.
    """
    known = names(package)
    if name not in known:
        raise PluginError(f"{what} {name!r} is unknown: {nearest(name, known)}")
    if name in (here := _registered.get(package.__name__, {})):
        return here[name]
    if (point := _points(package.__name__).get(name)) is None:
        return importlib.import_module(f"{package.__name__}.{name}")
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{what} {name!r}{_whose(package, name)} cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error


@functools.cache
def _points(package: str) -> dict[str, EntryPoint]:
    """Entry points of other distributions, by name."""
    return {point.name: point for point in entry_points(group=package)}


def _whose(package: ModuleType, name: str) -> str:
    """The distribution that a module is of, as the end of a phrase."""
    point = _points(package.__name__).get(name)
    return f" of the installed package {point.dist.name}" if point and point.dist else ""

"""Extends vidjax by modules in the folders of its packages, and by modules of other packages.

Each network, method, data set, configuration and command is one module. Users do not see where a
module lies: it is a file in a package of vidjax; or a module that another distribution names in an
entry point, in the group named like the package,

    [project.entry-points."vidjax.models"]
    my_network = "my_package.my_network"

or, in a notebook, any object with the attributes of such a module, passed to `register`.

A module of another distribution cannot replace one of vidjax. If it cannot be imported, or its name
is taken, whoever requests it gets an error; otherwise there is a one-line warning.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from vidjax.settings import shown
from vidjax.terminal import complain
from vidjax.untrusted_names import nearest, printable

# Packages of vidjax that can be extended.
PACKAGES = (
    "vidjax.configs",
    "vidjax.data.augmentations",
    "vidjax.data.builders",
    "vidjax.experiments",
    "vidjax.explain.maps",
    "vidjax.methods",
    "vidjax.models",
    "vidjax.training.writers",
)
Find = TypeVar("Find", bound=Callable[..., Any])


class PluginError(ValueError):
    """A module of another package cannot be used."""


@dataclass(frozen=True)
class Module:
    """A module of a package that was imported.

    Attributes:
      name: name in the package.
      content: the module, or the registered object.
      origin: who provides it, as the end of a phrase; empty for vidjax itself.
    """

    name: str
    content: Any
    origin: str = ""


_registered: dict[str, dict[str, Any]] = {}
_memories: list[Any] = []
_complaints: set[str] = set()


def register(package: str, name: str, module: Any) -> None:
    """Adds a module to a package of vidjax, for the lifetime of the process.

    An earlier registration under the same name is replaced, so that a notebook cell can be run
    again.

    Args:
      package: name of the package, such as `vidjax.models`.
      name: name of the module in it.
      module: a module, or an object with its attributes.

    Raises:
      PluginError: the package is unknown, or has another module of that name.

    Examples:
      >>> import dataclasses, types, vidjax
      >>> from vidjax.models import resnet3d
      >>> from vidjax.plugins import register
      >>> card = dataclasses.replace(resnet3d.VARIANTS[0].card, name="my_resnet")
      >>> mine = dataclasses.replace(resnet3d.VARIANTS[0], card=card)
      >>> register("vidjax.models", "mine", types.SimpleNamespace(VARIANTS=(mine,)))
      >>> vidjax.list_models("my_*")
      ['my_resnet']
    """
    if package not in PACKAGES:
        raise PluginError(f"package {package!r} cannot be extended: {nearest(package, PACKAGES)}")
    if not name.isidentifier():
        raise PluginError(f"{name!r} cannot be the name of a module: use letters, digits and _")
    if name in _own(importlib.import_module(package)) or name in _points(package):
        raise PluginError(f"{package} already has a module {name!r}; choose another name")
    _registered.setdefault(package, {})[name] = module
    refresh()


def refresh() -> None:
    """Searches for modules again, as needed after a package was installed."""
    _points.cache_clear()
    for memory in _memories:
        memory.cache_clear()


def cached(find: Find) -> Find:
    """Caches the result of a function until `refresh` is called."""
    memory: Any = functools.cache(find)
    _memories.append(memory)
    return memory


def names(package: ModuleType) -> list[str]:
    """Lists the names of a package's modules, its own and others', sorted; imports none."""
    others = [*_points(package.__name__), *_registered.get(package.__name__, {})]
    return sorted({*_own(package), *others})


def load(package: ModuleType, name: str, what: str = "module") -> Any:
    """Imports a module of a package by its name.

    Args:
      package: the package of vidjax.
      name: name of the module.
      what: what to call the module in an error.

    Raises:
      PluginError: the module does not exist, or one of another distribution cannot be imported.
    """
    return find(package, name, what).content


def find(package: ModuleType, name: str, what: str = "module") -> Module:
    """Does the same as `load`, and also tells who provides the module."""
    known = names(package)
    if name not in known:
        raise PluginError(f"{what} {name!r} is unknown: {nearest(name, known)}")
    home = package.__name__
    if name in (here := _registered.get(home, {})):
        return Module(name, here[name], f" of module {name!r}, registered by this process")
    if point := _point(package, name, what):
        return Module(name, _imported(point, what), _whose(point))
    return Module(name, importlib.import_module(f"{home}.{name}"))


def each(package: ModuleType, what: str = "module") -> Iterator[Module]:
    """Imports all modules of a package, vidjax's own first.

    Those that cannot be imported cause a one-line warning each.
    """
    own = _own(package)
    for name in sorted(names(package), key=lambda name: (name not in own, name)):
        try:
            yield find(package, name, what)
        except PluginError as error:
            warn_once(f"{error}; it is left out")


def collect(
    package: ModuleType, attribute: str, name_of: Callable[[Any], str], what: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Collects what the modules of a package list in an attribute, by name.

    Args:
      package: the package of vidjax.
      attribute: attribute of the modules; modules without it list nothing.
      name_of: returns the name of a listed object.
      what: what to call an object in an error.

    Returns:
      The objects in the order of their modules; and, for names that several packages define, why
      they cannot be used.
    """
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for module in each(package, f"{package.__name__} module"):
        for name, thing in _listed(module, attribute, name_of, what):
            if name not in origins:
                found[name], origins[name] = thing, module.origin
            elif not origins[name]:
                warn_once(
                    f"{what} {name!r}{module.origin} is left out: vidjax has one of that name"
                )
            else:
                unusable[name] = f"{what} {name!r} exists twice:{origins[name]},{module.origin}"
                warn_once(f"{unusable[name]}; neither can be used")
    return {name: thing for name, thing in found.items() if name not in unusable}, unusable


def full_name(package: ModuleType, name: str, what: str = "module") -> str:
    """Returns the name by which Python imports a module of a package.

    Raises:
      PluginError: several packages have a module of that name.
    """
    point = _point(package, name, what)
    return point.module if point else f"{package.__name__}.{name}"


def file_of(package: ModuleType, name: str, what: str = "module") -> Path:
    """Finds the source file of a module without importing it.

    Raises:
      PluginError: a module of another distribution does not exist, or several have that name.
    """
    full = full_name(package, name, what)
    try:
        spec = find_spec(full)
    # This imports the package around it, which may fail in any way.
    except Exception as error:
        spec, reason = None, f": {type(error).__name__}: {' '.join(str(error).split())}"
    else:
        reason = ""
    if spec is None or spec.origin is None:
        raise PluginError(f"{what} {name!r}: the module {full} does not exist{reason}")
    return Path(spec.origin)


def warn_once(problem: str) -> None:
    """Warns once per process, in one line, about something of another package."""
    if problem not in _complaints:
        _complaints.add(problem)
        complain(f"warning: {' '.join(printable(line) for line in problem.splitlines())}")


def _listed(
    module: Module, attribute: str, name_of: Callable[[Any], str], what: str
) -> Iterator[tuple[str, Any]]:
    """Returns what a module lists, with names; objects of another type cause a warning."""
    where = f"{attribute} of module {module.name!r}{module.origin}"
    listed = getattr(module.content, attribute, ())
    if not isinstance(listed, (tuple, list)):
        warn_once(f"{where} is not a tuple; it is left out")
        return
    for thing in listed:
        try:
            yield name_of(thing), thing
        except AttributeError:
            warn_once(f"{shown(thing)} in {where} is not a {what}; it is left out")


def _own(package: ModuleType) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(package.__path__)]


@functools.cache
def _points(package: str) -> Mapping[str, list[EntryPoint]]:
    """Returns the entry points of other distributions, by name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=package):
        found.setdefault(point.name, []).append(point)
    return found


def _point(package: ModuleType, name: str, what: str) -> EntryPoint | None:
    """Returns the only entry point for a module; None if vidjax has a module of that name."""
    points = _points(package.__name__).get(name, [])
    if name in _own(package):
        for point in points:
            warn_once(f"{what} {name!r}{_whose(point)} is left out: vidjax has one of that name")
        return None
    if len(points) > 1:
        owners = " and ".join(sorted(map(_owner, points)))
        raise PluginError(
            f"{what} {name!r} is in the installed packages {owners}: uninstall all but one"
        )
    return points[0] if points else None


def _imported(point: EntryPoint, what: str) -> Any:
    try:
        return point.load()
    # Another package's module may fail in any way, even by ending the process.
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{what} {point.name!r}{_whose(point)} cannot be imported: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


def _whose(point: EntryPoint) -> str:
    """Names the distribution that provides a module, as the end of a phrase."""
    return f" of the installed package {_owner(point)}"


def _owner(point: EntryPoint) -> str:
    return str(point.dist.name) if point.dist else point.value

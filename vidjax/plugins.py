"""What extends vidjax: modules in the folders of its packages, and modules of other packages.

A network, a method, a data set, a configuration, a command is one module each. Where it lies is
the same to its users: a file in a package of vidjax, a module that another distribution names in
an entry point of the package's name,

    [project.entry-points."vidjax.models"]
    my_network = "my_package.my_network"

or, in a notebook, whatever has the attributes of such a module, given to `register`.

A module of another distribution cannot replace one of vidjax. One that cannot be imported, or has
the name of another, is an error for whoever asks for it; others are told in one line.
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
from vidjax.untrusted_names import nearest, told

# Packages of vidjax that others extend.
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
    """A module of a package that could be imported.

    Attributes:
      name: in the package.
      content: the module, or what was registered as one.
      origin: whose it is, as the end of a phrase; empty for vidjax's own.
    """

    name: str
    content: Any
    origin: str = ""


_registered: dict[str, dict[str, Any]] = {}
_memories: list[Any] = []
_complaints: set[str] = set()


def register(package: str, name: str, module: Any) -> None:
    """Makes a module part of a package of vidjax, for as long as the process lives.

    What was registered under the name before is replaced, so that a notebook's cell can be run
    again.

    Args:
      package: such as `vidjax.models`.
      name: of the module there.
      module: a module, or an object with its attributes.

    Raises:
      PluginError: the package is unknown, or has another module of that name.
    """
    if package not in PACKAGES:
        raise PluginError(f"package {package!r} cannot be extended: {nearest(package, PACKAGES)}")
    if not name.isidentifier():
        raise PluginError(f"{name!r} cannot be the name of a module: letters, digits and _")
    if name in _own(importlib.import_module(package)) or name in _points(package):
        raise PluginError(f"{package} has a module {name!r} already; choose another name")
    _registered.setdefault(package, {})[name] = module
    refresh()


def refresh() -> None:
    """Looks for modules anew, as is needed where a package was installed since the last look."""
    _points.cache_clear()
    for memory in _memories:
        memory.cache_clear()


def remembered(find: Find) -> Find:
    """Remembers what a function has found, until modules are looked for anew."""
    memory: Any = functools.cache(find)
    _memories.append(memory)
    return memory


def names(package: ModuleType) -> list[str]:
    """Names of a package's modules, its own and others', sorted; none is imported."""
    others = [*_points(package.__name__), *_registered.get(package.__name__, {})]
    return sorted({*_own(package), *others})


def load(package: ModuleType, name: str, what: str = "module") -> Any:
    """A package's module by its name.

    Args:
      package: of vidjax.
      name: of the module.
      what: what the module is called in an error.

    Raises:
      PluginError: there is no such module, or one of another distribution cannot be imported.
    """
    return find(package, name, what).content


def find(package: ModuleType, name: str, what: str = "module") -> Module:
    """The same with whose it is."""
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
    """All modules of a package that can be imported, vidjax's own first.

    Those that cannot be are told in a line each.
    """
    own = _own(package)
    for name in sorted(names(package), key=lambda name: (name not in own, name)):
        try:
            yield find(package, name, what)
        except PluginError as error:
            tell(f"{error}; it is left out")


def collect(
    package: ModuleType, attribute: str, name_of: Callable[[Any], str], what: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the modules of a package list in an attribute, by name.

    Args:
      package: of vidjax.
      attribute: of the modules; those without it list nothing.
      name_of: name of one thing in it.
      what: what a thing is called in an error.

    Returns:
      The things in the order of their modules, and of those that several packages have, why they
      cannot be used.
    """
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for module in each(package, f"{package.__name__} module"):
        for name, thing in _listed(module, attribute, name_of, what):
            if name not in origins:
                found[name], origins[name] = thing, module.origin
            elif not origins[name]:
                tell(f"{what} {name!r}{module.origin} is left out: vidjax has one of that name")
            else:
                unusable[name] = f"{what} {name!r} is there twice:{origins[name]},{module.origin}"
                tell(f"{unusable[name]}; neither can be used")
    return {name: thing for name, thing in found.items() if name not in unusable}, unusable


def full_name(package: ModuleType, name: str, what: str = "module") -> str:
    """The name by which Python imports a module of a package.

    Raises:
      PluginError: several packages have a module of that name.
    """
    point = _point(package, name, what)
    return point.module if point else f"{package.__name__}.{name}"


def file_of(package: ModuleType, name: str, what: str = "module") -> Path:
    """The source file of a module, which is not imported.

    Raises:
      PluginError: a module of another distribution is not there, or several have one of that name.
    """
    full = full_name(package, name, what)
    try:
        spec = find_spec(full)
    # The package that it is in is imported, and may fail in any way.
    except Exception as error:
        spec, reason = None, f": {type(error).__name__}: {' '.join(str(error).split())}"
    else:
        reason = ""
    if spec is None or spec.origin is None:
        raise PluginError(f"{what} {name!r}: there is no module {full}{reason}")
    return Path(spec.origin)


def tell(problem: str) -> None:
    """Tells once in a process, in one line, what of another package cannot be used."""
    if problem not in _complaints:
        _complaints.add(problem)
        complain(f"warning: {' '.join(told(line) for line in problem.splitlines())}")


def _listed(
    module: Module, attribute: str, name_of: Callable[[Any], str], what: str
) -> Iterator[tuple[str, Any]]:
    """What a module lists, with its names; what is of another kind is told and left out."""
    where = f"{attribute} of module {module.name!r}{module.origin}"
    listed = getattr(module.content, attribute, ())
    if not isinstance(listed, (tuple, list)):
        tell(f"{where} is no tuple; it is left out")
        return
    for thing in listed:
        try:
            yield name_of(thing), thing
        except AttributeError:
            tell(f"{shown(thing)} in {where} is no {what}; it is left out")


def _own(package: ModuleType) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(package.__path__)]


@functools.cache
def _points(package: str) -> Mapping[str, list[EntryPoint]]:
    """Entry points of other distributions, by name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=package):
        found.setdefault(point.name, []).append(point)
    return found


def _point(package: ModuleType, name: str, what: str) -> EntryPoint | None:
    """The one entry point that has a module; none if vidjax has one of that name."""
    points = _points(package.__name__).get(name, [])
    if name in _own(package):
        for point in points:
            tell(f"{what} {name!r}{_whose(point)} is left out: vidjax has one of that name")
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
    # A module of somebody else's may fail in any way, and by leaving the process too.
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{what} {point.name!r}{_whose(point)} cannot be imported: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


def _whose(point: EntryPoint) -> str:
    """The distribution that a module is of, as the end of a phrase."""
    return f" of the installed package {_owner(point)}"


def _owner(point: EntryPoint) -> str:
    return str(point.dist.name) if point.dist else point.value

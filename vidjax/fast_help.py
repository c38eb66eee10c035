"""Shows a command's help without importing the libraries that take seconds to import.

A command computes nothing when it shows its help. But its flags are defined in many modules, which
import JAX, TensorFlow and similar libraries. So vidjax's own modules then get stand-ins for these
libraries. Modules of other packages get the libraries themselves.
"""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

_HELP = frozenset({"--help", "-help", "-h"})
# Libraries that take long to import, and that no flag or help text depends on.
_LIBRARIES = frozenset(
    {
        "av", "chex", "cv2", "flax", "grain", "h5py", "jax", "jaxlib", "matplotlib", "optax",
        "orbax", "pooch", "rich", "safetensors", "scipy", "sklearn", "tensorflow",
        "tensorflow_datasets", "tensorstore", "torch",
    }
)  # fmt: skip
_OURS = ("vidjax", "experiments", "configs", "__main__")
_import = builtins.__import__


def asked_for_help(arguments: Sequence[str]) -> bool:
    """Returns whether a command line asks for the command's help."""
    # Arguments after `--` are not flags.
    return not _HELP.isdisjoint(itertools.takewhile(lambda text: text != "--", arguments))


def import_stand_ins() -> None:
    """Makes vidjax's modules import stand-ins in place of libraries that take long to import.

    This lasts until the process ends, so call it only in a process that shows help and exits.
    """
    builtins.__import__ = _imported


def _imported(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    ours = str((globals or {}).get("__name__")).partition(".")[0] in _OURS
    if ours and level == 0 and name.partition(".")[0] in _LIBRARIES:
        return _StandIn()
    return _import(name, globals, locals, fromlist or (), level)


class _StandIn:
    """Stands in for a library and everything in it.

    It supports what modules do with a library while they are imported: looking up names, decorating
    functions, deriving classes and writing types.
    """

    def __getattr__(self, name: str) -> _StandIn:
        # Python looks up names such as `__path__` to find out what kind of object this is.
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> _StandIn:
        return self

    def __getitem__(self, key: Any) -> _StandIn:
        return self

    def __or__(self, other: Any) -> _StandIn:
        return self

    __ror__ = __or__

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        first = next(base for base in bases if isinstance(base, _StandIn))
        return (_Base,) if first is self else ()


class _Base:
    """The base of classes that derive from a library's class; it accepts any class keyword."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()

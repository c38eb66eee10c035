"""Help without the libraries that take seconds to import.

A command that is asked for help computes nothing, yet the flags that it explains are spread over
modules that import JAX, TensorFlow and their like. While it is asked for help, our own modules get
stand-ins of these libraries. Modules of other packages get the libraries themselves.
"""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

_HELP = frozenset({"--help", "-help", "-h"})
# What takes time, and nothing that a flag or its text is made of.
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
    """Whether a command line asks what the command does."""
    # What stands behind `--` is no flag.
    return not _HELP.isdisjoint(itertools.takewhile(lambda text: text != "--", arguments))


def import_stand_ins() -> None:
    """From now on, our modules import stand-ins in place of libraries that take long to import.

    It is for a process that says what a command does, and then ends.
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
    """Stands for a library and all that is in it: what a module does with it when it is defined.

    That is looking up names, decorating functions, deriving classes and writing types.
    """

    def __getattr__(self, name: str) -> _StandIn:
        # Python asks for names such as `__path__` to see what a thing is.
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
    """What classes derive from in place of a library's: it takes any keyword of a class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()

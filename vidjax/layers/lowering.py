"""Chooses how an operator is computed: XLA's own primitive, or our algorithms for a backend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

from vidjax.layers.convolution.choice import backends

LOWERINGS = ("auto", "lax", "cpu", "gpu", "tpu")
_forced: ContextVar[str] = ContextVar("lowering", default="auto")


@contextmanager
def force_lowering(name: str) -> Iterator[None]:
    """Makes `auto` mean `name` within the context.

    Code that reads a network's program traces it with `lax`, where a convolution is one primitive.

    Raises:
      ValueError: the name is not one of `LOWERINGS`.
    """
    _check(name)
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def forced() -> str:
    """Returns the name that `force_lowering` sets here, or `auto`."""
    return _forced.get()


def resolve(name: str) -> str:
    """Resolves `auto` to `lax` or the current backend; other names are returned unchanged.

    Raises:
      ValueError: the name is not one of `LOWERINGS`.
    """
    _check(name)
    if name == "auto":
        name = _forced.get()
    if name == "auto":
        backend = jax.default_backend()
        return backend if backend in backends() else "lax"
    return name


def _check(name: str) -> None:
    if name not in LOWERINGS:
        raise ValueError(f"lowering {name!r}: one of {', '.join(LOWERINGS)}")

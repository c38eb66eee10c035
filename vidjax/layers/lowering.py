"""Which form an operator is computed in: XLA's own primitive, or ours for a backend."""

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
    """Makes every `auto` inside mean `name`.

    What reads a network's program traces it with `lax`, where a convolution is one primitive.

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
    """What `force_lowering` says here; `auto` outside of it."""
    return _forced.get()


def resolve(name: str) -> str:
    """What `auto` means here and now, `lax` or this backend; other names as they are.

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

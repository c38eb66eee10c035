"""Keeps calls of this machine's libraries out of programs that are saved for other machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_portable: ContextVar[bool] = ContextVar("portable", default=False)


@contextmanager
def portable() -> Iterator[None]:
    """Makes convolutions that are traced within the context use operations of XLA only."""
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def is_portable() -> bool:
    """Returns whether the caller is within a `portable` context."""
    return _portable.get()

"""How well XLA compiles an explanation: for one clip, compiling takes longer than all the rest.

An MTNet is thousands of small operations, and XLA makes and optimises a kernel of each few of them:
its time grows with their number, not with what they compute. Larger programs are compiled in haste.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax

from vidjax.explain.traced import TracedNetwork
from vidjax.haste import in_haste
from vidjax.program import Program

# An r3d_152 has fewer; an mtnet_s more.
MANY = 4000
_THOROUGH = contextvars.ContextVar("thorough", default=False)


@contextlib.contextmanager
def thoroughly() -> Iterator[None]:
    """Compiles as XLA does by itself, for passes that run hundreds of times or are timed."""
    token = _THOROUGH.set(True)
    try:
        yield
    finally:
        _THOROUGH.reset(token)


def compiled(make: Callable[..., Callable[..., Any]]) -> Callable[..., Callable[..., Any]]:
    """Lets a function of a network, and more, that makes a pass give it compiled, once for each.

    On a CPU a program of more than `MANY` operations is compiled in a seventh of the time that XLA
    takes by itself, and then takes two to three times as long to run. Whoever sets XLA's level of
    optimisation (`XLA_FLAGS`) keeps it.
    """

    @functools.lru_cache(maxsize=16)
    def made(thorough: bool, network: TracedNetwork, *rest: Any) -> Callable[..., Any]:
        options = None if thorough else _options(network.anatomy.program)
        return jax.jit(make(network, *rest), compiler_options=options)

    @functools.wraps(make)
    def given(network: TracedNetwork, *rest: Any) -> Callable[..., Any]:
        return made(_THOROUGH.get(), network, *rest)

    return given


def _options(program: Program) -> dict[str, Any] | None:
    return in_haste() if len(program.operations) > MANY else None

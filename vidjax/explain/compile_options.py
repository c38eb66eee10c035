"""Compiler options for explanations, whose compilation takes longer than one run.

An MTNet consists of thousands of small operations. XLA builds and optimises a kernel for every few
of them, so compile time grows with their number and not with the amount of computation. Large
programs are therefore compiled with fewer optimisations.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax

from vidjax.explain.traced_network import TracedNetwork
from vidjax.fast_compilation import fast_compile_on_cpu
from vidjax.program import Program

# An r3d_152 has fewer operations, an mtnet_s has more.
MANY = 4000
_THOROUGH = contextvars.ContextVar("thorough", default=False)


@contextlib.contextmanager
def full_optimization() -> Iterator[None]:
    """Compiles with XLA's default options, for passes that run hundreds of times or are timed."""
    token = _THOROUGH.set(True)
    try:
        yield
    finally:
        _THOROUGH.reset(token)


def compiled(make: Callable[..., Callable[..., Any]]) -> Callable[..., Callable[..., Any]]:
    """Decorates a function of a network that builds a pass: compiles the pass and caches it.

    On a CPU, programs of more than `MANY` operations are compiled with fewer optimisations.
    Compilation then takes a seventh of the time, and a run two to three times as long. An
    optimisation level that the user sets in `XLA_FLAGS` takes precedence.
    """

    @functools.lru_cache(maxsize=16)
    def made(thorough: bool, network: TracedNetwork, *rest: Any) -> Callable[..., Any]:
        options = None if thorough else _options(network.graph.program)
        return jax.jit(make(network, *rest), compiler_options=options)

    @functools.wraps(make)
    def given(network: TracedNetwork, *rest: Any) -> Callable[..., Any]:
        return made(_THOROUGH.get(), network, *rest)

    return given


def _options(program: Program) -> dict[str, Any] | None:
    return fast_compile_on_cpu() if len(program.operations) > MANY else None

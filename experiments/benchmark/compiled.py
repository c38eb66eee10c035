"""A compiled program that can be timed, and what its compiler says of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.garbage_collection import collection_paused
from vidjax.layers.lowering import force_lowering
from vidjax.run.weight_init import init_by_array


@dataclass(frozen=True)
class Compiled:
    """A program with its arguments: called, it runs and waits for its end.

    Attributes:
      work: runs it.
      seconds: of compiling it.
      program: as JAX compiled it.
    """

    work: Callable[[], None]
    seconds: float
    program: Any

    def __call__(self) -> None:
        """Runs it."""
        self.work()

    @property
    def scratch(self) -> int:
        """Bytes of memory that it needs beside what it takes and gives."""
        sizes = self.program.memory_analysis()
        return sizes.temp_size_in_bytes if sizes else 0

    @property
    def memory(self) -> int:
        """Bytes of what it takes, gives and needs in between; what is given back in place once."""
        sizes = self.program.memory_analysis()
        if not sizes:
            return 0
        taken_and_given = sizes.argument_size_in_bytes + sizes.output_size_in_bytes
        return taken_and_given - sizes.alias_size_in_bytes + sizes.temp_size_in_bytes


def compile_timed(function: Any, *arguments: Any) -> tuple[Any, float]:
    """A jitted function compiled for arguments, and the seconds of tracing and compiling it."""
    start = time.perf_counter()
    with collection_paused():
        lowered = function.lower(*arguments)
    program = lowered.compile()
    return program, time.perf_counter() - start


def initial_variables(model: Any, clip: jax.Array) -> Any:
    """A network's variables for clips `[B, T, H, W, 3]`."""

    def init(key: jax.Array) -> Any:
        with force_lowering("lax"):
            return model.init(key, jnp.zeros((1, *clip.shape[1:])), train=False)

    key = jax.random.key(0)
    return init_by_array(init, key) if jax.default_backend() == "cpu" else jax.jit(init)(key)

"""Compiles quickly instead of well, for programs that run once or a few times on a CPU.

Compiling takes a fraction of the time. The program then takes two to three times as long to run.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import jax

# Options of the compiler under which LLVM optimises nothing.
FAST_COMPILE: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


@functools.cache
def fast_compile_options() -> dict[str, Any]:
    """Returns the compiler options that compile fastest with this version of JAX.

    XLA's fusion emitters take several times as long as its older code generator. JAX 0.11 and later
    have only the emitters, and reject the option.
    """
    has_choice = jax.__version_info__ < (0, 11)
    return FAST_COMPILE | ({"xla_cpu_use_fusion_emitters": False} if has_choice else {})


def fast_compile_on_cpu() -> dict[str, Any] | None:
    """Returns the options on a CPU; None elsewhere, and if `XLA_FLAGS` sets the level itself."""
    chosen = "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", "")
    return None if chosen or jax.default_backend() != "cpu" else fast_compile_options()

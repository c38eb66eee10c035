"""Compiling in haste: for a program that runs once or a few times, on a CPU.

XLA makes and optimises a kernel of each few operations. In haste it takes a fraction of the time,
and the program then takes two to three times as long to run.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import jax

# Options of the compiler under which LLVM optimises nothing.
QUICKLY: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


@functools.cache
def hastily() -> dict[str, Any]:
    """Options of the compiler under which kernels are made in haste, too.

    Loops are made as before XLA had emitters of fusions, which take several times as long. From
    0.11 on JAX has nothing but emitters, and does not know the option.
    """
    has_choice = jax.__version_info__ < (0, 11)
    return QUICKLY | ({"xla_cpu_use_fusion_emitters": False} if has_choice else {})


def in_haste() -> dict[str, Any] | None:
    """`hastily()` on a CPU; None elsewhere, and where `XLA_FLAGS` says XLA's level."""
    chosen = "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", "")
    return None if chosen or jax.default_backend() != "cpu" else hastily()

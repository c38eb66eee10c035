"""Measures the wait before a network's first pass: drawing its weights, and compiling."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

import vidjax

from .case import Case
from .comparison import PASSES


@dataclass(frozen=True)
class CompileTime:
    """Time and memory until a pass of a network can run.

    Attributes:
      case: the pass.
      weights: seconds until the initial weights are drawn, including compilation.
      compiling: seconds of tracing and compiling the pass.
      memory: peak memory of the process in bytes.
    """

    case: Case
    weights: float
    compiling: float
    memory: int
    COLUMNS: ClassVar = ("network", "pass", "weights, s", "compile, s", "GiB at most")

    def cells(self) -> tuple[str, ...]:
        """Formats a row of a table."""
        numbers = f"{self.weights:.1f}", f"{self.compiling:.1f}", f"{self.memory / 2**30:.2f}"
        return self.case.network, self.case.task, *numbers


def measure_compile_time(case: Case) -> CompileTime:
    """Prepares a pass and measures that; the process should do nothing else."""
    model = vidjax.create_model(case.network, num_classes=400, dtype=jnp.dtype(case.dtype))
    start = time.perf_counter()
    compiled = PASSES[case.task](model, case.shape)
    weights = time.perf_counter() - start - compiled.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return CompileTime(
        case, weights, compiled.seconds, peak * (1 if sys.platform == "darwin" else 1024)
    )

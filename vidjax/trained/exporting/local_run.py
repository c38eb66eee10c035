"""Compiles and times a network on this machine, one clip at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import program_of

_RUNS = 5


@dataclass(frozen=True)
class LocalRun:
    """A network that is compiled for one clip.

    Attributes:
      working_bytes: peak memory for activations; None if the compiler does not report it.
      seconds: time of a clip, including transfers to the device and back.
      logits: maps clips uint8 `[B, T, H, W, 3]` to logits, float32 `[B, K]`.
    """

    working_bytes: int | None
    seconds: float
    logits: Callable[[np.ndarray], np.ndarray]


def compile_locally(exported: ExportRequest) -> LocalRun:
    """Compiles the network and times it."""
    clip = np.zeros((1, *exported.clip, 3), np.uint8)
    compiled = jax.jit(program_of(exported)).lower(exported.trained.variables, clip).compile()
    variables = jax.device_put(exported.trained.variables)

    def logits(clips: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(compiled(variables, one[None])) for one in clips])

    logits(clip)
    memory = compiled.memory_analysis()
    return LocalRun(
        None if memory is None else int(memory.temp_size_in_bytes),
        statistics.median(_seconds(logits, clip)),
        logits,
    )


def _seconds(function: Callable[[np.ndarray], Any], clip: np.ndarray) -> Iterator[float]:
    for _ in range(_RUNS):
        start = time.perf_counter()
        function(clip)
        yield time.perf_counter() - start

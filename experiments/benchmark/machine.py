"""Measures this machine's peak rates of matrix products and of memory copies.

Example:
  vidjax benchmark machine
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import jax
import jax.numpy as jnp
from absl import flags

from vidjax.terminal import say

from ..runs.machine import hardware
from .timing import all_times, print_table

_ROUNDS = flags.DEFINE_integer(
    "machine_rounds", 5, "Rounds of measuring the machine; the median counts.", lower_bound=1
)
_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "onednn-cpu-gomp", "torch")


@dataclass(frozen=True)
class Machine:
    """The highest measured rates.

    Attributes:
      matmul: FLOP/s of square matrix products, by dtype.
      copies: bytes/s of reading one array and writing another; both count.
    """

    matmul: Mapping[str, float]
    copies: float


def measure(dtypes: Sequence[str]) -> Machine:
    """Measures matrix products in the given dtypes, and copies."""
    rounds = _ROUNDS.value
    matmul = {dtype: max(matmul_rates(dtype, rounds).values()) for dtype in dtypes}
    return Machine(matmul, max(copy_rates(rounds).values()))


def matmul_rates(dtype: str, rounds: int) -> dict[int, float]:
    """Returns the FLOP/s of products of two square matrices, by their size; medians over rounds."""
    sizes = (512, 1024, 2048) if jax.default_backend() == "cpu" else (2048, 4096, 8192, 16384)
    return {size: _matmul_rate(size, dtype, rounds) for size in sizes}


def _matmul_rate(size: int, dtype: str, rounds: int) -> float:
    keys = jax.random.split(jax.random.key(0))
    left, right = (jax.random.normal(key, (size, size), jnp.dtype(dtype)) for key in keys)
    return 2 * size**3 / _seconds(lambda: jnp.matmul(left, right), rounds, calls=3)


def copy_rates(rounds: int) -> dict[str, float]:
    """Returns the bytes/s of two passes over an array that is far larger than any cache."""
    length = 2**26 if jax.default_backend() == "cpu" else 2**28
    source = jax.random.normal(jax.random.key(0), (length,))
    copy, negate = jax.jit(jnp.copy), jax.jit(jnp.negative, donate_argnums=0)
    kept = jnp.copy(source)

    def in_place() -> jax.Array:
        # On a CPU, a new array takes longer to allocate than to fill.
        nonlocal kept
        kept = negate(kept)
        return kept

    ways = {"copy into a new array": lambda: copy(source), "negative in place": in_place}
    moved = 2 * source.nbytes
    return {name: moved / _seconds(way, rounds, calls=2) for name, way in ways.items()}


def _seconds(call: Callable[[], jax.Array], rounds: int, calls: int) -> float:
    """Returns the median seconds of a call; a measurement makes several calls without waiting."""

    def work() -> None:
        for _ in range(calls):
            result = call()
        result.block_until_ready()

    return statistics.median(all_times({"": work}, rounds)[""]) / 1e3 / calls


def leave_memory_to_others() -> None:
    """Stops JAX from allocating most of an accelerator's memory; call it before JAX starts."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def describe() -> str:
    """Describes the hardware, and the platform that JAX runs on."""
    if jax.default_backend() == "cpu":
        return hardware()
    platform_version = " ".join(str(jax.devices()[0].client.platform_version).split())
    return f"{hardware()}; {jax.default_backend()}, {platform_version}"


def versions() -> str:
    """Lists the versions of Python and of the installed libraries that matter for speed."""
    found = [f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def main(arguments: Sequence[str]) -> None:
    """Prints the machine's hardware and its peak rates."""
    del arguments
    rounds = _ROUNDS.value
    say(describe(), versions())
    rows = [
        (f"{dtype} matrices of {size}x{size}", f"{rate / 1e9:.0f} GFLOP/s")
        for dtype in ("float32", "bfloat16")
        for size, rate in matmul_rates(dtype, rounds).items()
    ]
    rows += [(name, f"{rate / 1e9:.1f} GB/s") for name, rate in copy_rates(rounds).items()]
    print_table(f"medians of {rounds} repeats", ("what", "rate"), rows)

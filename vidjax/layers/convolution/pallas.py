"""Channel-wise 3D convolution for accelerators: a Pallas kernel for each of its three passes.

They do a few multiply-adds for each number that they read, so that memory is what they wait for:
each program reads its part of a clip once, from the second level of the cache or into the fast
memory of a TPU, and keeps its sums in registers until they are whole. A GPU computes what
`channelwise_triton` says, a TPU what `channelwise_mosaic` says, and a CPU interprets the latter,
slowly, for tests. JAX has called Pallas' Triton backend deprecated since 0.11: where it is gone,
this algorithm is for TPUs alone, and a GPU has XLA's own convolution.

Checked by interpretation against XLA's own convolution, and by lowering for CUDA and TPU; the
compilers for an H100 and a TPU v5e take it too. It has not been run, nor timed, on an accelerator,
and is chosen where a table of measurements says so. XLA cannot divide such a kernel among devices.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from types import ModuleType

import jax
from jax import lax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem


def fits(problem: Problem, name: str) -> bool:
    """Kernels of one channel each, on an accelerator."""
    del name
    backend = jax.default_backend()
    accelerated = backend == "tpu" or (backend == "gpu" and _has_triton())
    return accelerated and problem.kind == "channel-wise" and min(problem.size) > 0


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`[B, T', H', W', C]` in the dtype of `x`; sums are float32."""

    def compute(kernels: ModuleType, x: jax.Array, kernel: jax.Array, **more: bool) -> jax.Array:
        return kernels.forward(x, kernel, problem.strides, problem.pads, **more)

    return _on_its_platform(compute, x, kernel)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """`[B, T, H, W, C]` in the dtype of `g`; sums are float32."""

    def compute(kernels: ModuleType, kernel: jax.Array, g: jax.Array, **more: bool) -> jax.Array:
        strides, pads = problem.strides, problem.pads
        return kernels.input_gradient(problem.shape, kernel, strides, pads, g, **more)

    return _on_its_platform(compute, kernel, g)


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """`[kt, kh, kw, 1, C]` in the dtype of `x`; sums are float32, always in the same order."""

    def compute(kernels: ModuleType, x: jax.Array, g: jax.Array, **more: bool) -> jax.Array:
        strides, pads = problem.strides, problem.pads
        return kernels.kernel_gradient(x, problem.kernel, strides, pads, g, **more)

    return _on_its_platform(compute, x, g).reshape(problem.kernel).astype(x.dtype)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)


def _has_triton() -> bool:
    # Found, not imported: JAX has announced that its import will warn.
    return importlib.util.find_spec("jax.experimental.pallas.triton") is not None


def _on_its_platform(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Computes as the platform that a program is compiled for has it."""
    from vidjax.layers.convolution import channelwise_mosaic

    algorithms = {
        "cpu": functools.partial(compute, channelwise_mosaic, interpret=True),
        "tpu": functools.partial(compute, channelwise_mosaic),
    }
    if _has_triton():
        from vidjax.layers.convolution import channelwise_triton

        algorithms["cuda"] = functools.partial(compute, channelwise_triton)
    return lax.platform_dependent(*arrays, **algorithms)

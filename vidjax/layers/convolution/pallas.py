"""Channel-wise 3D convolution for accelerators: a Pallas kernel for each of its three passes.

Channel-wise convolutions do only a few multiply-adds per number that they read, so memory bandwidth
limits them. Each program therefore reads its part of a clip once (through the L2 cache of a GPU, or
into the VMEM of a TPU), and keeps its sums in registers until they are complete. GPUs run the
kernels of `channelwise_triton`, TPUs those of `channelwise_mosaic`. A CPU interprets the latter,
slowly, for tests. JAX 0.11 deprecated Pallas' Triton backend. In a JAX without it, this algorithm
is for TPUs only, and GPUs use XLA's own convolution.

Tests compare the interpreted kernels with XLA's own convolution, and lower them for CUDA and TPU.
The compilers for an H100 and a TPU v5e accept them too. The kernels have not run on an accelerator
yet, so their speed is unknown. They are used only if a table of measurements selects them. XLA
cannot divide such a kernel among devices.
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
    """Accepts channel-wise kernels on an accelerator."""
    del name
    backend = jax.default_backend()
    accelerated = backend == "tpu" or (backend == "gpu" and _has_triton())
    return accelerated and problem.kind == "channel-wise" and min(problem.size) > 0


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Computes `[B, T', H', W', C]` in the dtype of `x`; sums are float32."""

    def compute(kernels: ModuleType, x: jax.Array, kernel: jax.Array, **more: bool) -> jax.Array:
        return kernels.forward(x, kernel, problem.strides, problem.pads, **more)

    return _on_its_platform(compute, x, kernel)


def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """Computes `[B, T, H, W, C]` in the dtype of `g`; sums are float32."""

    def compute(kernels: ModuleType, kernel: jax.Array, g: jax.Array, **more: bool) -> jax.Array:
        strides, pads = problem.strides, problem.pads
        return kernels.input_gradient(problem.shape, kernel, strides, pads, g, **more)

    return _on_its_platform(compute, kernel, g)


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Computes `[kt, kh, kw, 1, C]` in the dtype of `x`; sums are float32, in a fixed order."""

    def compute(kernels: ModuleType, x: jax.Array, g: jax.Array, **more: bool) -> jax.Array:
        strides, pads = problem.strides, problem.pads
        return kernels.kernel_gradient(x, problem.kernel, strides, pads, g, **more)

    return _on_its_platform(compute, x, g).reshape(problem.kernel).astype(x.dtype)


ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)


def _has_triton() -> bool:
    # Not imported here, because JAX has announced that the import will warn.
    return importlib.util.find_spec("jax.experimental.pallas.triton") is not None


def _on_its_platform(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Computes with the kernels of the platform for which the program is compiled."""
    from vidjax.layers.convolution import channelwise_mosaic

    algorithms = {
        "cpu": functools.partial(compute, channelwise_mosaic, interpret=True),
        "tpu": functools.partial(compute, channelwise_mosaic),
    }
    if _has_triton():
        from vidjax.layers.convolution import channelwise_triton

        algorithms["cuda"] = functools.partial(compute, channelwise_triton)
    return lax.platform_dependent(*arrays, **algorithms)

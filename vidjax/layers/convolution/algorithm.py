"""A way of computing a convolution: up to three passes, and the convolutions it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from vidjax.layers.convolution.problem import Problem

PASSES = ("forward", "input_gradient", "kernel_gradient")
Pass = Callable[[Problem, jax.Array, jax.Array], jax.Array]
Fits = Callable[[Problem, str], bool]


@dataclass(frozen=True)
class Algorithm:
    """Each pass takes the problem and two arrays, and is None where the algorithm has none.

    Attributes:
      fits: whether it can compute a pass of a problem.
      forward: of the input `[B, T, H, W, C]` and the kernel `[kt, kh, kw, C / groups, O]`, to
        `[B, T', H', W', O]`.
      input_gradient: of the kernel and the gradient of the result.
      kernel_gradient: of the input and the gradient of the result.
    """

    fits: Fits
    forward: Pass | None = None
    input_gradient: Pass | None = None
    kernel_gradient: Pass | None = None

    def has(self, name: str, problem: Problem) -> bool:
        """Whether it has the pass for the problem."""
        return getattr(self, name) is not None and self.fits(problem, name)


def from_forward(fits: Fits, forward: Pass) -> Algorithm:
    """An algorithm whose gradients are those that JAX finds of its forward pass."""

    def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
        zeros = jnp.zeros(problem.shape, g.dtype)
        _, back = jax.vjp(lambda x: forward(problem, x, kernel), zeros)
        return back(g)[0]

    def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
        zeros = jnp.zeros(problem.kernel, x.dtype)
        _, back = jax.vjp(lambda kernel: forward(problem, x, kernel), zeros)
        return back(g)[0]

    return Algorithm(fits, forward, input_gradient, kernel_gradient)

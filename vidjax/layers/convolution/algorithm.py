"""Defines a convolution algorithm: up to three passes, and the convolutions that it supports."""

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
    """An algorithm for convolutions. Each pass is a function of a problem and two arrays, or None.

    Attributes:
      fits: function of a problem and the name of a pass that tells whether the algorithm can
        compute it.
      forward: maps the input `[B, T, H, W, C]` and the kernel `[kt, kh, kw, C / groups, O]` to
        `[B, T', H', W', O]`.
      input_gradient: maps the kernel and the gradient of the result to the input's gradient.
      kernel_gradient: maps the input and the gradient of the result to the kernel's gradient.
    """

    fits: Fits
    forward: Pass | None = None
    input_gradient: Pass | None = None
    kernel_gradient: Pass | None = None

    def has(self, name: str, problem: Problem) -> bool:
        """Returns whether the algorithm can compute a pass of the problem."""
        return getattr(self, name) is not None and self.fits(problem, name)


def from_forward(fits: Fits, forward: Pass) -> Algorithm:
    """Makes an algorithm from its forward pass; JAX derives the gradients."""

    def input_gradient(problem: Problem, kernel: jax.Array, g: jax.Array) -> jax.Array:
        zeros = jnp.zeros(problem.shape, g.dtype)
        _, back = jax.vjp(lambda x: forward(problem, x, kernel), zeros)
        return back(g)[0]

    def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
        zeros = jnp.zeros(problem.kernel, x.dtype)
        _, back = jax.vjp(lambda kernel: forward(problem, x, kernel), zeros)
        return back(g)[0]

    return Algorithm(fits, forward, input_gradient, kernel_gradient)

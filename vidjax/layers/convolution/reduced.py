"""Computes the gradient of a channel-wise kernel by one reduction per tap, to suit accelerators."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.problem import Problem
from vidjax.layers.convolution.shifted import fits, shifted
from vidjax.layers.padding import pad


def kernel_gradient(problem: Problem, x: jax.Array, g: jax.Array) -> jax.Array:
    """Multiplies the shifted input by the gradient, and sums over positions, for each tap."""
    x = pad(x, problem.pads)
    sums = [
        jnp.sum(shifted(problem, x, tap) * g, axis=(0, 1, 2, 3), dtype=jnp.float32)
        for tap in itertools.product(*map(range, problem.kernel[:3]))
    ]
    return jnp.stack(sums).reshape(problem.kernel).astype(x.dtype)


ALGORITHM = Algorithm(fits, None, None, kernel_gradient)

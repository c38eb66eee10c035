"""XLA's own convolution: the reference for other algorithms, and the default on accelerators."""

from __future__ import annotations

import jax
from jax import lax

from vidjax.layers.convolution.algorithm import from_forward
from vidjax.layers.convolution.problem import Problem


def forward(problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves by `jax.lax.conv_general_dilated`."""
    return lax.conv_general_dilated(
        x,
        kernel,
        problem.strides,
        problem.pads,
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        feature_group_count=problem.groups,
    )


ALGORITHM = from_forward(lambda problem, name: True, forward)

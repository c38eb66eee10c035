"""Counts the multiply-adds and the memory traffic that a network needs, however it is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.evaluation.cost import multiply_adds
from vidjax.layers.lowering import force_lowering
from vidjax.program import Operation, Value, read_program


@dataclass(frozen=True)
class FlopsAndBytes:
    """Multiply-adds and memory traffic of a forward pass.

    Attributes:
      macs: multiply-adds of convolutions and matrix products.
      traffic: bytes that these read and write, if each reads and writes each of its arrays once.
        Norms and activations do not count, because a good compiler fuses them.
    """

    macs: int
    traffic: int


# A backward pass has two products for each product of the forward pass: the gradients of its input
# and of its kernel. Each has as many multiply-adds, and moves the same three arrays.
TRAINING = 3


def count_flops_and_bytes(model: Any, shape: tuple[int, ...]) -> FlopsAndBytes:
    """Counts multiply-adds and traffic for clips `[B, T, H, W, 3]` from the traced network."""
    products = forward_products(model, shape)
    return FlopsAndBytes(
        sum(map(multiply_adds, products)),
        sum(array_bytes([*each.inputs, *each.outputs]) for each in products),
    )


def forward_products(model: Any, shape: tuple[int, ...]) -> list[Operation]:
    """Lists the convolutions and matrix products of a forward pass on clips `[B, T, H, W, 3]`."""
    clip = jax.ShapeDtypeStruct(shape, jnp.float32)
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
        program = read_program(lambda v, x: model.apply(v, x, train=False), variables, clip)
    return [each for each in program.operations if multiply_adds(each)]


def array_bytes(values: Iterable[Value]) -> int:
    """Returns the total size of arrays in bytes."""
    return sum(math.prod(value.shape) * jnp.dtype(value.dtype).itemsize for value in values)

"""What a network asks of a machine, whatever its program: multiply-adds, and bytes to move."""

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
class Demand:
    """Of a forward pass.

    Attributes:
      macs: multiply-adds of convolutions and matrix products.
      traffic: bytes of what these read and write, each array of each of them once. Norms and
        activations are left out, as a good compiler fuses them in.
    """

    macs: int
    traffic: int


# A backward pass has two products for each of the forward pass: the gradients of its input and
# of its kernel. Each is as many multiply-adds, and moves the same three arrays.
TRAINING = 3


def count_demand(model: Any, shape: tuple[int, ...]) -> Demand:
    """Reads the demand off a network's program for clips `[B, T, H, W, 3]`; nothing is run."""
    products = forward_products(model, shape)
    return Demand(
        sum(map(multiply_adds, products)),
        sum(array_bytes([*each.inputs, *each.outputs]) for each in products),
    )


def forward_products(model: Any, shape: tuple[int, ...]) -> list[Operation]:
    """Convolutions and matrix products of a forward pass on clips `[B, T, H, W, 3]`."""
    clip = jax.ShapeDtypeStruct(shape, jnp.float32)
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
        program = read_program(lambda v, x: model.apply(v, x, train=False), variables, clip)
    return [each for each in program.operations if multiply_adds(each)]


def array_bytes(values: Iterable[Value]) -> int:
    """Bytes of arrays, each once."""
    return sum(math.prod(value.shape) * jnp.dtype(value.dtype).itemsize for value in values)

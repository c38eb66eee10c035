"""Counts a network's parameters and multiply-adds from its program, without running it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.lowering import force_lowering
from vidjax.program import Operation, Program, read_program


@dataclass(frozen=True)
class LayerCost:
    """Parameters and multiply-adds of one layer."""

    layer: str
    params: int
    macs: int


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a network.

    Attributes:
      params: number of parameters.
      macs: multiply-adds of convolutions and matrix products for the given clip shape.
      by_layer: the same for each layer, in the order of computation.
    """

    params: int
    macs: int
    by_layer: tuple[LayerCost, ...]

    def __str__(self) -> str:
        """Formats a table with one row per layer and a total."""
        rows = [("layer", "parameters", "multiply-adds")]
        rows += [(row.layer, f"{row.params:,}", f"{row.macs:,}") for row in self.by_layer]
        rows += [("all", f"{self.params:,}", f"{self.macs:,}")]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {params:>{widths[1]}}  {macs:>{widths[2]}}"
            for name, params, macs in rows
        )


def count_cost(model: nn.Module, clip_shape: tuple[int, ...]) -> Cost:
    """Counts parameters and multiply-adds. Only shapes are computed.

    Args:
      model: a network on clips.
      clip_shape: `(T, H, W)` of one clip, or `(B, T, H, W, 3)` of a batch.

    Raises:
      ValueError: `clip_shape` has another length.

    Examples:
      >>> import vidjax
      >>> cost = vidjax.count_cost(vidjax.create_model("x3d_xs", num_classes=400), (4, 182, 182))
      >>> cost.params, f"{cost.macs / 1e9:.2f}e9"
      (3794274, '0.84e9')
    """
    if len(clip_shape) == 3:
        clip_shape = (1, *clip_shape, int(getattr(model, "channels", 3)))
    if len(clip_shape) != 5:
        raise ValueError(f"clip_shape = {clip_shape}: pass (T, H, W) or (B, T, H, W, 3)")
    clip = jax.ShapeDtypeStruct(clip_shape, jnp.float32)
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
        program = read_program(lambda v, x: model.apply(v, x, train=False), variables, clip)
    params, macs = _params_by_layer(variables["params"]), _macs_by_layer(program)
    names = [*dict.fromkeys([*macs, *params])]
    rows = tuple(LayerCost(name, params.get(name, 0), macs.get(name, 0)) for name in names)
    return Cost(sum(params.values()), sum(macs.values()), rows)


def _params_by_layer(params: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        layer = "/".join(str(key.key) for key in path[:-1])
        counts[layer] = counts.get(layer, 0) + math.prod(leaf.shape)
    return counts


def _macs_by_layer(program: Program) -> dict[str, int]:
    counts: dict[str, int] = {}
    for operation in program.operations:
        macs = multiply_adds(operation)
        if macs:
            layer = operation.layer.partition("/")[2]
            counts[layer] = counts.get(layer, 0) + macs
    return counts


def multiply_adds(operation: Operation) -> int:
    """Returns the multiply-adds of a convolution or matrix product; 0 for other operations."""
    if operation.primitive not in ("conv_general_dilated", "dot_general"):
        return 0
    outputs = math.prod(operation.outputs[0].shape)
    left, right = (value.shape for value in operation.inputs[:2])
    if operation.primitive == "dot_general":
        contracted = operation.params["dimension_numbers"][0][0]
        return outputs * math.prod(left[axis] for axis in contracted)
    # The kernel's input axis has the channels of one group, so groups need no special case.
    kernel = operation.params["dimension_numbers"].rhs_spec
    window = math.prod(right) // right[kernel[0]]
    return outputs * window

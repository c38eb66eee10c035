"""Plans the blocks of residual stages, one by one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vidjax.layers.norm import BatchNorm
from vidjax.models.blocks import BLOCKS, Factories
from vidjax.slots.block import Make, Triple

Blocks = tuple[Make, ...]
Vary = Callable[[int, int, int, Factories], Mapping[str, Any]]
HALVING: tuple[Triple, ...] = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
HALVING_SPACE: tuple[Triple, ...] = ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))
DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}


def doubling(width: int) -> tuple[int, ...]:
    """Returns the widths of four stages, each twice the one before."""
    return tuple(width * 2**stage for stage in range(4))


def last_stage(depths: Sequence[int]) -> int:
    """Returns the index of the last stage that has a block, from 0."""
    return max(stage for stage, depth in enumerate(depths) if depth)


def make_norm(epsilon: float, group_size: int | None) -> Make:
    """Returns a factory of batch norms."""
    return functools.partial(BatchNorm, epsilon=epsilon, group_size=group_size)


def block_plans(
    block: str,
    depths: Sequence[int],
    features: Sequence[int],
    widths: Sequence[int],
    strides: Sequence[Triple],
    inputs: int,
    factories: Factories,
    vary: Vary | None = None,
    **fields: Any,
) -> tuple[Blocks, ...]:
    """Plans the blocks of all stages; the first block of each is strided.

    Args:
      block: `basic` or `bottleneck`.
      depths: number of blocks of each stage.
      features: output channels of each stage.
      widths: channels inside the blocks of each stage.
      strides: strides of each stage's first block.
      inputs: output channels of the stem.
      factories: factories of the blocks' layers.
      vary: `vary(stage, index, inputs, factories)` returns fields that differ in a single block;
        stages and indices count from 0.
      **fields: further fields of all blocks.

    Raises:
      ValueError: a zero-padding shortcut would have to remove channels.
    """
    stages = []
    for stage, depth in enumerate(depths):
        plans = []
        shortcut = fields.get("shortcut", "projection")
        if depth and shortcut in ("pad", "pad_around") and inputs > features[stage]:
            raise ValueError(
                f"shortcut = {shortcut!r} only adds channels, but stage {stage + 1} has "
                f"{features[stage]} after {inputs}: use 'projection', or a stem_width of at most "
                f"{features[stage]}"
            )
        for index in range(depth):
            own = vary(stage, index, inputs, factories) if vary else {}
            stride = strides[stage] if index == 0 else (1, 1, 1)
            values = (
                {"strides": stride, "width": widths[stage], "factories": factories}
                | fields
                | dict(own)
            )
            plans.append(functools.partial(BLOCKS[block], features[stage], **values))
            inputs = features[stage]
        stages.append(tuple(plans))
    return tuple(stages)

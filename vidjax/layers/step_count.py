"""Counting training steps inside a network, beside the statistics of its norms.

A step is one of the optimiser's. Where a batch is computed in parts, all of them are in one step:
who computes them resets the counts between them.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

_NAME = "steps"


def training_steps(module: nn.Module, *, train: bool) -> jax.Array:
    """How many training steps there have been, with the one that runs: a float32 scalar.

    Args:
      module: in whose `batch_stats` they are counted.
      train: whether this is a step.
    """
    steps = module.variable("batch_stats", _NAME, lambda: jnp.zeros((), jnp.float32))
    if train and not module.is_initializing():
        steps.value = steps.value + 1
    return steps.value


def with_counts_of(stats: Any, before: Any) -> Any:
    """The statistics that the next part of a step begins with.

    Args:
      stats: a network's statistics after a part.
      before: those before the step, whose counts are taken.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, now, then: then if path[-1].key == _NAME else now, stats, before
    )

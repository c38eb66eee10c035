"""Counts training steps inside a network, beside the statistics of its norms.

A step is an optimiser step. With gradient accumulation all parts of a batch belong to one step, so
the training step resets the counts between the parts.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

_NAME = "steps"


def training_steps(module: nn.Module, *, train: bool) -> jax.Array:
    """Returns the number of training steps so far, including the current one, as a float32 scalar.

    Args:
      module: module whose `batch_stats` holds the count.
      train: whether this is a training step.
    """
    steps = module.variable("batch_stats", _NAME, lambda: jnp.zeros((), jnp.float32))
    if train and not module.is_initializing():
        steps.value = steps.value + 1
    return steps.value


def with_counts_of(stats: Any, before: Any) -> Any:
    """Returns the statistics with which the next part of a step begins.

    Args:
      stats: statistics of a network after a part.
      before: statistics before the step, from which the counts are taken.
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, now, then: then if path[-1].key == _NAME else now, stats, before
    )

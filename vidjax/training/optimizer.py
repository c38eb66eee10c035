"""The optimiser: SGD with momentum, weight decay on kernels, optional clipping."""

from __future__ import annotations

from typing import Any

import jax
import optax

from vidjax.training.config import OptimizerConfig


def decayed(params: Any) -> Any:
    """Which parameters weight decay acts on: kernels, not norm scales and not biases."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: str(getattr(path[-1], "key", "")) == "kernel", params
    )


def make_optimizer(
    config: OptimizerConfig, rate: optax.Schedule
) -> optax.GradientTransformationExtraArgs:
    """Clipping (if on), then weight decay as part of the gradient, then SGD with momentum."""
    mask = None if config.decay_norm_and_bias else decayed
    clip = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    return optax.chain(
        *clip,
        optax.add_decayed_weights(config.weight_decay, mask),
        optax.sgd(rate, config.momentum, config.nesterov),
    )

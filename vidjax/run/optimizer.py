"""The optimiser: SGD with momentum or AdamW, weight decay on kernels, optional clipping."""

from __future__ import annotations

from typing import Any

import jax
import optax

from vidjax.run.config import OptimizerConfig


def decayed(params: Any) -> Any:
    """Which parameters weight decay acts on: kernels, not norm scales and not biases."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: str(getattr(path[-1], "key", "")) == "kernel", params
    )


def make_optimizer(
    config: OptimizerConfig, rate: optax.Schedule
) -> optax.GradientTransformationExtraArgs:
    """Clipping (if on), then the optimiser.

    The decay is part of the gradient in SGD, and beside it in AdamW (Loshchilov and Hutter 2019).
    """
    mask = None if config.decay_norm_and_bias else decayed
    clip = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    momentum, decay, nesterov = config.momentum, config.weight_decay, config.nesterov
    if config.name == "adamw":
        adamw = optax.adamw(rate, momentum, weight_decay=decay, mask=mask, nesterov=nesterov)
        return optax.chain(*clip, adamw)
    decays = optax.add_decayed_weights(decay, mask)
    return optax.chain(*clip, decays, optax.sgd(rate, momentum, nesterov))

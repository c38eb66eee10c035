"""What every network takes and gives: a clip in, sown features and logits out."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

CLASSIFIER_INIT = nn.initializers.normal(0.01)


def check_clip(clip: jax.Array, frames: int | None = None) -> None:
    """Refuses what is not a batch of clips.

    Args:
      clip: what the network was given.
      frames: the number of frames it takes; None is any.

    Raises:
      ValueError: the shape is not `[B, T, H, W, 3]`, or T is not `frames`.
    """
    if clip.ndim != 5 or clip.shape[-1] != 3:
        raise ValueError(f"a clip batch is [B, T, H, W, 3], not {list(clip.shape)}")
    if frames is not None and clip.shape[1] != frames:
        raise ValueError(
            f"this network takes clips of T = {frames} frame{'s' * (frames != 1)}, "
            f"not {clip.shape[1]}: {list(clip.shape)}"
        )


def classify(
    network: nn.Module, features: jax.Array, num_classes: int, dropout: float, *, train: bool
) -> jax.Array:
    """Dropout and a linear layer named `head`, called inside a network's `__call__`.

    Args:
      network: sows the features as `pre_logits` `[B, F]`.
      features: `[B, F]`; or `[B, T, F]`, whose frames are classified one by one.
      num_classes: number of logits.
      dropout: rate before the linear layer.
      train: whether dropout acts.

    Returns:
      Logits float32 `[B, num_classes]`, the mean over frames where there are several.
    """
    between = tuple(range(1, features.ndim - 1))
    network.sow("intermediates", "pre_logits", jnp.mean(features, between))
    features = nn.Dropout(dropout, deterministic=not train)(features)
    logits = nn.Dense(num_classes, kernel_init=CLASSIFIER_INIT, name="head")(features)
    return jnp.mean(logits, between)

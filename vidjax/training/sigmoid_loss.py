"""The loss of data sets with several labels a video: each class is a yes or no by itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def sigmoid_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Binary cross-entropy, the mean over classes, as PyTorch's `BCEWithLogitsLoss` has it.

    The mean keeps the loss, and with it learning rates, of one size for any number of classes.

    Args:
      logits: float32 `[B, C]`.
      targets: float32 `[B, C]` in [0, 1].

    Returns:
      float32 `[B]`.
    """
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets), axis=-1)


def smoothed(targets: jax.Array, share: float) -> jax.Array:
    """Targets `[B, C]` of which a share is spread over yes and no, half to each.

    As `label_smoothing` of Keras' `BinaryCrossentropy`: 1 becomes 1 - share / 2, and 0 share / 2.
    """
    return (1 - share) * targets + share / 2


def hits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Whether the likeliest class of a clip is one of its labels, bool `[B]`."""
    best = jnp.argmax(logits, axis=-1, keepdims=True)
    return jnp.take_along_axis(targets, best, axis=-1)[:, 0] > 0

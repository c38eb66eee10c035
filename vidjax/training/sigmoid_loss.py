"""The loss for multi-label data: each class is an independent yes or no."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def sigmoid_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns the binary cross-entropy, averaged over classes like PyTorch's `BCEWithLogitsLoss`.

    The mean keeps the scale of the loss, and therefore of learning rates, independent of the number
    of classes.

    Args:
      logits: float32 `[B, C]`.
      targets: float32 `[B, C]` in [0, 1].

    Returns:
      float32 `[B]`.
    """
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets), axis=-1)


def smoothed(targets: jax.Array, share: float) -> jax.Array:
    """Smooths targets `[B, C]`: a share is spread equally over yes and no.

    This is `label_smoothing` of Keras' `BinaryCrossentropy`: 1 becomes 1 - share / 2, and 0 becomes
    share / 2.
    """
    return (1 - share) * targets + share / 2


def hits(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns whether the most likely class of a clip is one of its labels, bool `[B]`."""
    best = jnp.argmax(logits, axis=-1, keepdims=True)
    return jnp.take_along_axis(targets, best, axis=-1)[:, 0] > 0

"""MixUp for clips: averages each clip and its target with those of another clip.

Zhang et al., ICLR 2018, eq. 1 and figure 1: one lambda from Beta(alpha, alpha) and one pairing, a
random permutation, for the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from vidjax.settings import Kind, check, number

SETTINGS: Mapping[str, Kind] = {"alpha": number(above=0, most=1_000_000), "chance": number(0, 1)}


def mixup(
    key: jax.Array,
    clip: jax.Array,
    targets: jax.Array,
    mask: jax.Array,
    *,
    alpha: float = 1.0,
    chance: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """Mixes each clip with a partner by a random permutation of the batch, possibly with itself.

    Args:
      key: random key: one lambda and one pairing for the whole batch.
      clip: `[B, T, H, W, C]`; bytes become float32, which can hold their means.
      targets: `[B, K]`, the target probabilities of the loss.
      mask: bool `[B]`, True for readable clips; the others stay unchanged and are not mixed in.
      alpha: both parameters of the Beta distribution of lambda, the weight of a clip's own pixels
        and target.
      chance: probability that the batch is mixed.

    Returns:
      Clips (float32 for integer input, else the same dtype) and targets of the same shapes.

    Raises:
      ValueError: alpha is not above 0, or the chance is not a probability.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from vidjax.methods.mixup import mixup
      >>> clips, targets = jnp.zeros((4, 2, 8, 8, 3)), jnp.eye(4)
      >>> mixed, mixed_targets = mixup(
      ...     jax.random.key(0), clips, targets, jnp.ones(4, bool), alpha=0.2, chance=1.0
      ... )
      >>> mixed.shape, mixed_targets.sum(axis=1).round(5).tolist()
      ((4, 2, 8, 8, 3), [1.0, 1.0, 1.0, 1.0])
    """
    check({"alpha": alpha, "chance": chance}, SETTINGS, "mixup ")
    pairs, share, mixes = jax.random.split(key, 3)
    partner = jax.random.permutation(pairs, clip.shape[0])
    mixed = mask & mask[partner] & jax.random.bernoulli(mixes, chance)
    # An unmixed clip is its own partner: a weight of 0 would not remove values that are not finite.
    partner = jnp.where(mixed, partner, jnp.arange(clip.shape[0]))
    other = jnp.where(mixed, 1 - jax.random.beta(share, alpha, alpha), 0)
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        clip = clip.astype(jnp.float32)
    return _mean(clip, clip[partner], other), _mean(targets, targets[partner], other)


def _mean(own: jax.Array, others: jax.Array, other: jax.Array) -> jax.Array:
    """Averages rows, where those of `others` have weights `other` `[B]`."""
    weight = other.reshape(-1, *(1,) * (own.ndim - 1)).astype(own.dtype)
    return (1 - weight) * own + weight * others

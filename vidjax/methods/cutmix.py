"""CutMix for clips: pastes a box of one clip into another, and mixes their targets.

Yun et al., ICCV 2019, eq. 1, 2 and algorithm 1; the box is the same in all frames of a clip. The
RMS paper compares with it, with one draw per batch and lambda from Beta(1, 1) (table 2).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from vidjax.settings import Kind, check, number

SETTINGS: Mapping[str, Kind] = {"alpha": number(above=0, most=1_000_000), "chance": number(0, 1)}


def cutmix(
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
      key: random key: one box and one pairing for the whole batch.
      clip: `[B, T, H, W, C]`, any dtype.
      targets: `[B, K]`, the target probabilities of the loss.
      mask: bool `[B]`, True for readable clips; the others are not mixed.
      alpha: both parameters of the Beta distribution of lambda, the share of a frame that stays.
      chance: probability that the batch is mixed.

    Returns:
      Clips and targets of the same shapes and dtypes.

    Raises:
      ValueError: alpha is not above 0, or the chance is not a probability.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from vidjax.methods.cutmix import cutmix
      >>> clips, targets = jnp.zeros((4, 2, 8, 8, 3)), jnp.eye(4)
      >>> mixed, mixed_targets = cutmix(
      ...     jax.random.key(0), clips, targets, jnp.ones(4, bool), alpha=1.0, chance=1.0
      ... )
      >>> mixed.shape, mixed_targets.sum(axis=1).tolist()
      ((4, 2, 8, 8, 3), [1.0, 1.0, 1.0, 1.0])
    """
    check({"alpha": alpha, "chance": chance}, SETTINGS, "cutmix ")
    pairs, box, mixes = jax.random.split(key, 3)
    partner = jax.random.permutation(pairs, clip.shape[0])
    mixed = mask & mask[partner] & jax.random.bernoulli(mixes, chance)
    inside = random_box(box, clip.shape[2], clip.shape[3], alpha)
    pasted = inside[None, None, :, :, None] & mixed[:, None, None, None, None]
    share = jnp.where(mixed, jnp.mean(inside), 0)[:, None].astype(targets.dtype)
    return (
        jnp.where(pasted, clip[partner], clip),
        (1 - share) * targets + share * targets[partner],
    )


def random_box(key: jax.Array, height: int, width: int, alpha: float) -> jax.Array:
    """Draws a box, and returns which positions are in it, bool `[height, width]`.

    Its centre is uniform over the frame. Its area is 1 - lambda of the frame's, with the same
    aspect ratio, before the sides are rounded down to even numbers and the box is clipped to the
    frame.
    """
    keys = jax.random.split(key, 3)
    side = jnp.sqrt(1 - jax.random.beta(keys[0], alpha, alpha))
    rows, columns = (
        _span(centre, size, side) for centre, size in zip(keys[1:], (height, width), strict=True)
    )
    return rows[:, None] & columns


def _span(key: jax.Array, size: int, side: jax.Array) -> jax.Array:
    """Returns the positions along one axis around a random centre, bool `[size]`."""
    half = (size * side).astype(jnp.int32) // 2
    centre = jax.random.randint(key, (), 0, size)
    positions = jnp.arange(size)
    return (positions >= centre - half) & (positions < centre + half)

"""Mixes a batch with MixUp or CutMix."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from vidjax.methods.cutmix import cutmix
from vidjax.methods.mixup import mixup


@dataclass(frozen=True)
class Mixing:
    """Mixes a batch with one of the enabled methods.

    If both are enabled, each batch is mixed with either with probability 0.5, as timm does by
    default. With gradient accumulation, each part of a batch counts as a batch.

    Attributes:
      mixup: alpha of MixUp; 0 turns it off.
      cutmix: alpha of CutMix; 0 turns it off.
      chance: probability that a batch is mixed.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    chance: float = 1.0

    def __call__(
        self, key: jax.Array, clip: jax.Array, targets: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Mixes clips `[B, T, H, W, C]` and targets `[B, K]`; unchanged if both methods are off.

        Args:
          key: random key.
          clip: clips of any dtype; MixUp turns uint8 into float32.
          targets: target probabilities.
          mask: bool `[B]`, True for readable clips. Other clips are not mixed.
        """
        if not self.mixup and not self.cutmix:
            return clip, targets
        by_cutmix = functools.partial(cutmix, alpha=self.cutmix, chance=self.chance)
        by_mixup = functools.partial(mixup, alpha=self.mixup, chance=self.chance)
        if not self.mixup:
            return by_cutmix(key, clip, targets, mask)
        if not self.cutmix:
            return by_mixup(key, clip, targets, mask)
        if not jnp.issubdtype(clip.dtype, jnp.floating):
            clip = clip.astype(jnp.float32)
        is_cut = jax.random.bernoulli(jax.random.fold_in(key, 0))
        both = jax.lax.cond(is_cut, by_cutmix, by_mixup, key, clip, targets, mask)
        return both[0], both[1]

"""Which of MixUp and CutMix a batch is mixed by."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from vidjax.methods.cutmix import cutmix
from vidjax.methods.mixup import mixup


@dataclass(frozen=True)
class Mixing:
    """Mixes a batch by one of the methods that are on.

    Where both are, each batch takes either with a chance of one half, as timm does by default.
    With gradient accumulation a part of a batch counts as a batch.

    Attributes:
      mixup: alpha of MixUp; 0 is off.
      cutmix: alpha of CutMix; 0 is off.
      chance: of a batch to be mixed at all.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    chance: float = 1.0

    def __call__(
        self, key: jax.Array, clip: jax.Array, targets: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Clips `[B, T, H, W, C]` and targets `[B, K]`, mixed; both as given where it is off.

        Args:
          key: of the draw.
          clip: any dtype; MixUp makes float32 of bytes.
          targets: what a loss compares probabilities with.
          mask: bool `[B]`, which clips were readable; the others take no part.
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

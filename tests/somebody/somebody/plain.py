"""A network of plain convolutions, written without any of vidjax's blocks."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.models import ModelCard, Variant, check_clip, classify, make_head
from vidjax.settings import whole
from vidjax.slots import Slots, end


class Plain(nn.Module):
    """Two stages of a convolution and a ReLU, each followed by a slot for methods.

    Attributes:
      num_classes: number of logits.
      slots: it uses `after_stage` of stages 1 and 2.
      dtype: dtype of the computation.
      width: channels of stage 1; stage 2 has twice as many.
    """

    num_classes: int
    slots: tuple[Slots, ...]
    dtype: Any
    width: int = 8

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`."""
        check_clip(clip)
        head, classifier = make_head(self.num_classes, 2 * self.width, self.slots)
        x = clip.astype(self.dtype)
        for stage, slots in enumerate(self.slots[:2], start=1):
            conv = nn.Conv(stage * self.width, (3, 3, 3), (1, 2, 2), name=f"layer{stage}")
            x = end(slots, "after_stage", nn.relu(conv(x)), classifier, f"gain{stage}", train=train)
            self.sow("intermediates", f"stage{stage}", x)
        features = jnp.mean(x, axis=(1, 2, 3), dtype=jnp.float32)
        return classify(self, head, features, 0.0, train=train)


VARIANTS = (
    Variant(
        ModelCard(
            name="plain",
            clip=(4, 32, 32),
            frame_stride=1,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            paper="Somebody's own",
            tables=(),
            params=10_928,
            macs=1_554_688,
        ),
        build=Plain,
        options={"width": whole(1, 1024)},
        methods=("channel_gain", "class_reg"),
        stages=(1, 2),
    ),
)

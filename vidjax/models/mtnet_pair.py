"""MTNet as its code was released: it processes a pair of clips, one at half the size.

It has the widths and depths of ResNets, so its counts differ from the thesis' (S has 39.98 M
parameters instead of 25.8 M). `mtnet` is the network described in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.pooling import global_avg_pool
from vidjax.layers.temporal_frame_selection import temporal_frame_selection
from vidjax.methods.multi_temporal import shares
from vidjax.methods.multi_temporal_pair import PairedMTBlock, halving
from vidjax.models.blocks import Factories
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.stage_blocks import make_norm
from vidjax.models.stem import POOL_SPACE, Stem
from vidjax.slots.block import Make, Slots


class PairedMTNet(nn.Module):
    """The released network.

    Attributes:
      num_classes: number of logits.
      depths: blocks of each stage.
      width: channels of the stem and stage 1; the other stages double it.
      delta: share of the channels at full size.
      cell: cell of the squeeze and recursion.
      layers: number of layers of cells.
      dropout: dropout rate before the classifier.
      norm: factory of norms.
      dtype: dtype of the computation.
    """

    num_classes: int
    depths: tuple[int, ...]
    width: int
    delta: float
    cell: str
    layers: int
    dropout: float
    norm: Make
    dtype: Any

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        For each stage, it sows the clip at full size.

        Raises:
          ValueError: the clip has the wrong shape.
        """
        check_clip(clip)
        head, _ = make_head(self.num_classes)
        parts = Factories(norm=self.norm)
        stem = Stem(self.width, (3, 7, 7), parts, pool=POOL_SPACE, name="stem_layer")
        x = stem(clip.astype(self.dtype), train=train)
        x = temporal_frame_selection(x, choose="highest", squared=True)[0]
        self.sow("intermediates", "stem", x)
        short, long = jnp.split(x, [shares(self.width, self.delta)[0]], axis=-1)
        pair = short, halving("halving")(long, train=train)
        for stage, depth in enumerate(self.depths, start=1):
            features = self.width * 2 ** (stage - 1)
            for number in range(1, depth + 1):
                first = stage > 1 and number == 1
                block = PairedMTBlock(
                    features,
                    features,
                    strides=(2, 2, 2) if first else (1, 1, 1),
                    project=first,
                    delta=self.delta,
                    cell=self.cell,
                    layers=self.layers,
                    norm=self.norm,
                    name=f"layer{stage}_block{number}",
                )
                pair = block(pair, train=train)
            self.sow("intermediates", f"stage{stage}", pair[0])
        pooled = jnp.concatenate([global_avg_pool(clip) for clip in pair], axis=-1)
        return classify(self, head, pooled, self.dropout, train=train)


def make_paired(
    depths: Sequence[int],
    width: int,
    cell: str,
    layers: int,
    *,
    num_classes: int,
    dtype: Any,
    slots: Sequence[Slots],
    delta: float = 7 / 8,
    dropout: float = 0.0,
    norm_epsilon: float = 1e-5,
    norm_group_size: int | None = None,
    **options: Any,
) -> PairedMTNet:
    """Builds the released network from the family's and the user's settings.

    Raises:
      ValueError: the network does not support an option or a method.
    """
    if options or any(slot != Slots() for slot in slots):
        refused = ", ".join(options) or "methods"
        raise ValueError(
            f"persistent_low_res does not support {refused}: it takes width, depths, delta, cell, "
            "layers, dropout, norm_epsilon and norm_group_size"
        )
    if delta == 1:
        raise ValueError("persistent_low_res with delta = 1: there is no second clip")
    norm = make_norm(norm_epsilon, norm_group_size)
    return PairedMTNet(num_classes, tuple(depths), width, delta, cell, layers, dropout, norm, dtype)

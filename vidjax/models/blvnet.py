"""bLVNet-TAM: frames split between a big and a little branch (Fan et al., NeurIPS 2019).

Before each stage, three neighbouring frames are weighted and summed.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.temporal_aggregation import TemporalAggregation
from vidjax.models.big_little import FULL, HALF, BigLittle, ConvNorm, Entrance
from vidjax.models.blocks import Bottleneck, Factories
from vidjax.models.cards import Family
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.resnet2d import IMAGENET, KERNELS
from vidjax.models.shared_options import OPTIONS, depths_of, multiple
from vidjax.models.stage_blocks import DEPTHS, make_norm
from vidjax.models.tsm import FrameFeatures
from vidjax.slots.block import Slots


class BLVNet(nn.Module):
    """A bLVNet.

    Attributes:
      num_classes: number of logits.
      depths: blocks of each stage.
      alpha: the little branches have `1 / alpha` of the channels.
      beta: the little branches have `1 / beta` of the blocks.
      width: channels of the stem.
      dropout: dropout rate before the classifier.
      norm_epsilon: epsilon of the norms.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      zero_init: initialise the last norm's scale of each block to zero.
      dtype: dtype of the computation.
      slots: modules that methods insert into the blocks of each stage.
    """

    num_classes: int
    depths: tuple[int, ...] = DEPTHS[50]
    alpha: int = 2
    beta: int = 4
    width: int = 64
    dropout: float = 0.5
    norm_epsilon: float = 1e-5
    norm_group_size: int | None = None
    zero_init: bool = False
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has the wrong shape, or an odd number of frames.
        """
        check_clip(clip)
        if clip.shape[1] % 2:
            raise ValueError(f"bLVNet takes pairs of frames, but T = {clip.shape[1]} is odd")
        parts = Factories(norm=make_norm(self.norm_epsilon, self.norm_group_size))
        x = ConvNorm(self.width, 7, parts, HALF, name="stem_layer")(
            clip.astype(self.dtype), train=train
        )
        x = Entrance(self.width, self.alpha, parts, name="entrance")(nn.relu(x), train=train)
        self.sow("intermediates", "stem", x)
        for stage in range(3):
            features, strides = self.width * 4 * 2**stage, (FULL if stage == 2 else HALF)
            x = BigLittle(
                features,
                self.depths[stage],
                strides,
                self.alpha,
                self.beta,
                self._block(parts, stage),
                parts,
                name=f"layer{stage + 1}",
            )(x, train=train)
            self.sow("intermediates", f"stage{stage + 1}", x)
        x = self._last(x[:, 1::2], parts, train=train)
        self.sow("intermediates", "stage4", x)
        features = FrameFeatures(name="neck")(x, train=train)
        return classify(self, make_head(self.num_classes)[0], features, self.dropout, train=train)

    def _block(self, parts: Factories, stage: int) -> Any:
        return functools.partial(
            Bottleneck,
            kernels=KERNELS["bottleneck"],
            shortcut="average_projection",
            zero_init=self.zero_init,
            factories=parts,
            slots=self.slots[stage],
        )

    def _last(self, x: jax.Array, parts: Factories, *, train: bool) -> jax.Array:
        """Computes stage 4.

        The first shortcut starts at the weighted frames, the others before them.
        """
        features = self.width * 32
        make = functools.partial(self._block(parts, 3), features, width=features // 4)
        x = TemporalAggregation(name="layer4_aggregation")(x)
        for index in range(self.depths[3]):
            enter = TemporalAggregation if index else None
            own = Factories(norm=parts.norm, enter=enter)
            strides = FULL if index else HALF
            block = make(strides=strides, factories=own, name=f"layer4_block{index + 1}")
            x = block(x, train=train)
        return x


_FAMILY = Family(
    BLVNet,
    {name: OPTIONS[name] for name in ("dropout", "norm_epsilon", "norm_group_size", "zero_init")}
    | {"depths": depths_of(4, 2, 2, 2), "width": multiple(2)},
    {
        "clip": (16, 224, 224),
        "frame_stride": 4,
        "paper": "Fan et al.: More Is Less: Learning Efficient Video Representations by "
        "Big-Little Network and Depthwise Temporal Aggregation, NeurIPS 2019",
        "notes": "This is the network with alpha 2 and beta 4.",
        **IMAGENET,
    },
    methods=("random_scaling",),
)

VARIANTS = (_FAMILY.variant("blvnet_tam_50", {"depths": DEPTHS[50]}, 25_483_216, 23_855_005_696),)

"""MF-Net: multi-fiber units, with convolutions grouped into fibers (Chen et al., ECCV 2018)."""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import global_avg_pool, max_pool
from vidjax.models.cards import Family
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.shared_options import OPTIONS, WIDTH
from vidjax.models.stage_blocks import DEPTHS, last_stage
from vidjax.slots.block import Make, Slots, Triple, end


class PreConv(nn.Module):
    """Norm, ReLU, convolution."""

    features: int
    kernel_size: Triple
    norm: Make
    strides: Triple = (1, 1, 1)
    groups: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        x = nn.relu(self.norm(name="norm")(x, train=train))
        conv = Conv(self.features, self.kernel_size, self.strides, groups=self.groups, name="conv")
        return conv(x)


class FiberUnit(nn.Module):
    """A multi-fiber unit: a multiplexer mixes channels, then grouped convolutions (section 3).

    Attributes:
      features: channels of the output.
      first: whether it opens a stage: its second convolution is 1x1x1, and its shortcut a strided
        projection of the unit's input.
      strides: strides of the first convolution.
      groups: number of fibers.
      norm: factory of norms.
    """

    features: int
    first: bool
    strides: Triple
    groups: int
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        conv = functools.partial(PreConv, norm=self.norm)
        point = (1, 1, 1)
        y = conv(self.features // 4, point, name="multiplex1")(x, train=train)
        y = x + conv(x.shape[-1], point, name="multiplex2")(y, train=train)
        strided = conv(
            self.features, (3, 3, 3), strides=self.strides, groups=self.groups, name="conv1"
        )
        y = strided(y, train=train)
        if self.first:
            y = conv(self.features, point, name="conv2")(y, train=train)
            short = conv(self.features, point, strides=self.strides, name="shortcut")
            return y + short(x, train=train)
        grouped = conv(self.features, (1, 3, 3), groups=self.groups, name="conv2")
        return x + grouped(y, train=train)


class MFNet(nn.Module):
    """An MF-Net.

    Attributes:
      num_classes: number of logits.
      depths: units of each stage.
      width: channels of stage 1; other widths scale with it.
      groups: number of fibers.
      dropout: dropout rate before the classifier; used in the published fine-tuning.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: dtype of the computation.
      slots: it uses `after_block`, after each unit, and `after_stage`.
    """

    num_classes: int
    depths: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 96
    groups: int = 16
    dropout: float = 0.0
    norm_group_size: int | None = None
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has the wrong shape.
        """
        check_clip(clip)
        head, classifier = make_head(
            self.num_classes, self.width * 2 ** last_stage(self.depths), self.slots
        )
        norm = functools.partial(BatchNorm, group_size=self.norm_group_size)
        x = Conv(self.width // 6, (3, 5, 5), (1, 2, 2), name="stem_conv")(clip.astype(self.dtype))
        x = nn.relu(norm(name="stem_norm")(x, train=train))
        x = max_pool(x, (1, 3, 3), (1, 2, 2))
        self.sow("intermediates", "stem", x)
        for stage, (depth, slots) in enumerate(zip(self.depths, self.slots, strict=True)):
            for index in range(depth):
                strides = (1, 1, 1) if index else (1, 2, 2) if stage else (2, 1, 1)
                name = f"layer{stage + 1}_unit{index + 1}"
                features = self.width * 2**stage
                unit = FiberUnit(features, index == 0, strides, self.groups, norm, name=name)
                after = f"after_block{stage + 1}_{index + 1}"
                x = end(slots, "after_block", unit(x, train=train), classifier, after, train=train)
            x = end(slots, "after_stage", x, classifier, f"after_stage{stage + 1}", train=train)
            self.sow("intermediates", f"stage{stage + 1}", x)
        features = global_avg_pool(nn.relu(norm(name="tail_norm")(x, train=train)))
        return classify(self, head, features, self.dropout, train=train)


def build(*, width: int = 96, groups: int = 16, **options: Any) -> MFNet:
    """Builds an MF-Net.

    Args:
      width: channels of stage 1.
      groups: number of fibers.
      **options: as in `MFNet`.

    Raises:
      ValueError: the groups do not divide the width.
    """
    if width % (6 * groups):
        raise ValueError(
            f"width = {width}: must be a multiple of {6 * groups}, because the stem has a sixth of "
            f"it and groups = {groups}"
        )
    return MFNet(width=width, groups=groups, **options)


_FAMILY = Family(
    build,
    {name: OPTIONS[name] for name in ("depths", "width", "dropout", "norm_group_size")}
    | {"groups": WIDTH},
    {
        "clip": (16, 224, 224),
        "frame_stride": 2,
        "mean": (124 / 255, 117 / 255, 104 / 255),
        "std": (1 / (0.0167 * 255),) * 3,
        "paper": "Chen et al.: Multi-Fiber Networks for Video Recognition, ECCV 2018",
        "notes": "The 22.5 of table 5.2 and the 22.70 of table 7.1 are twice the multiply-adds, "
        "plus elementwise operations.",
    },
    methods=("class_reg",),
    defined_in=(MFNet,),
)

VARIANTS = (
    _FAMILY.variant(
        "mfnet",
        {"depths": DEPTHS[50]},
        7_996_368,
        11_045_449_728,
        "thesis 4.2, 5.1: 8.0 / 11.1",
        "thesis 5.2: 8.0 / 22.5",
        "CFP 7.1: - / 22.70",
    ),
)

"""3D residual networks: Hara et al. (CVPR 2018), and the thesis' own backbones (`_e1`).

Both stack blocks of 3x3x3 convolutions and halve T, H and W at the stem's pool and at stages 2
to 4. Hara's stem is 7x7x7 and bottlenecks widen four times; the thesis' stem is 3x7x7 and its
bottlenecks leave at the width they work at (expansion 1).

Parameters: `stem_layer/conv|norm`, `layer<i>/block<j>/conv<k>|norm<k>`, with `shortcut_conv` and
`shortcut_norm` where the shape changes, and `head`. (The outputs are sown as `stem` and
`stage<i>`; in flax a module may not have the name of a sown value.)
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import global_avg_pool, max_pool
from vidjax.models.blocks import BasicBlock, Bottleneck, Factories, Slots
from vidjax.models.cards import ModelCard, Variant

BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


class Stem(nn.Module):
    """Convolution with spatial stride 2, norm, activation, max-pool with stride 2."""

    features: int
    kernel_size: tuple[int, int, int]
    factories: Factories

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, 3]` to `[B, T/2, H/4, W/4, features]`."""
        x = self.factories.conv(self.features, self.kernel_size, (1, 2, 2), name="conv")(x)
        x = self.factories.act(self.factories.norm(name="norm")(x, train=train))
        return max_pool(x, (3, 3, 3), (2, 2, 2))


class Stage(nn.Module):
    """Blocks of one width, the first strided, then the slot at the stage's end."""

    block: str
    depth: int
    strides: tuple[int, int, int]
    features: int
    width: int
    shortcut: str
    zero_init: bool
    factories: Factories
    slots: Slots

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        for index in range(self.depth):
            x = BLOCKS[self.block](
                self.features,
                strides=(1, 1, 1) if index else self.strides,
                width=self.width,
                shortcut=self.shortcut,
                zero_init=self.zero_init,
                factories=self.factories,
                slots=self.slots,
                name=f"block{index + 1}",
            )(x, train=train)
        if self.slots.after_stage is not None:
            x = self.slots.after_stage(name="after_stage")(x, train=train)
        return x


class ResNet3D(nn.Module):
    """A residual network over clips.

    Attributes:
      num_classes: number of logits.
      block: `basic` or `bottleneck`.
      depths: blocks of each stage.
      stem_kernel: of the first convolution.
      inner: width inside the blocks of stage 1, as a multiple of `width`.
      outer: width of stage 1's output, as a multiple of `width`.
      width: channels of the stem; 64 as published, fewer for small experiments.
      dropout: rate before the classifier.
      shortcut: `projection` (B) or `pad` (A).
      zero_init: start every residual branch at zero.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      dtype: what it computes in.
      slots: what methods put into the blocks of each stage.
    """

    num_classes: int
    block: str
    depths: tuple[int, int, int, int]
    stem_kernel: tuple[int, int, int] = (7, 7, 7)
    inner: int = 1
    outer: int = 1
    width: int = 64
    dropout: float = 0.0
    shortcut: str = "projection"
    zero_init: bool = False
    norm_group_size: int | None = None
    dtype: Any = jnp.float32
    slots: tuple[Slots, ...] = (Slots(),) * 4

    @nn.compact
    def __call__(self, clip: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps normalised clips `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`.

        Raises:
          ValueError: the clip has another shape.
        """
        if clip.ndim != 5 or clip.shape[-1] != 3:
            raise ValueError(f"a clip batch is [B, T, H, W, 3], not {list(clip.shape)}")
        factories = Factories(
            conv=functools.partial(Conv, dtype=self.dtype),
            norm=functools.partial(BatchNorm, group_size=self.norm_group_size),
        )
        x = clip.astype(self.dtype)
        x = Stem(self.width, self.stem_kernel, factories, name="stem_layer")(x, train=train)
        self.sow("intermediates", "stem", x)
        for index, (depth, slots) in enumerate(zip(self.depths, self.slots, strict=True)):
            x = Stage(
                self.block,
                depth,
                strides=(2, 2, 2) if index else (1, 1, 1),
                features=self.width * self.outer * 2**index,
                width=self.width * self.inner * 2**index,
                shortcut=self.shortcut,
                zero_init=self.zero_init,
                factories=factories,
                slots=slots,
                name=f"layer{index + 1}",
            )(x, train=train)
            self.sow("intermediates", f"stage{index + 1}", x)
        pooled = global_avg_pool(x)
        self.sow("intermediates", "pre_logits", pooled)
        pooled = nn.Dropout(self.dropout, deterministic=not train)(pooled)
        init = nn.initializers.normal(0.01)
        return nn.Dense(self.num_classes, kernel_init=init, name="head")(pooled)


_OPTIONS = ("width", "stem_kernel", "dropout", "shortcut", "zero_init", "norm_group_size")
_HARA: dict[str, Any] = {
    "clip": (16, 112, 112),
    "frame_stride": 1,
    "mean": (0.4345, 0.4051, 0.3775),
    "std": (0.2768, 0.2713, 0.2737),
    "paper": "Hara, Kataoka, Satoh: Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs "
    "and ImageNet? CVPR 2018",
    "notes": "Stem 7x7x7; bottlenecks leave four times wider, with 2048 channels at the head. "
    "The thesis' networks of these depths (`_e1`) have a 3x7x7 stem, which is 37,632 parameters "
    "less, and bottlenecks that keep the width they work at, with 512: no checkpoint fits both. "
    "wide_r3d_50 is that of the published file, with a stem of 64 channels.",
}
_E1: dict[str, Any] = {
    "clip": (16, 224, 224),
    "frame_stride": 1,
    "mean": (124 / 255, 117 / 255, 104 / 255),
    "std": (1 / (0.0167 * 255),) * 3,
    "paper": "Stergiou: Modelling across time, PhD thesis, chapters 4 to 6 (baselines)",
    "notes": "Stem 3x7x7, bottleneck expansion 1: the parameter counts that the thesis prints "
    "for r3d-34, 50 and 101 and wide-r3d-50, where Hara's networks of these names (without "
    "`_e1`) have a 7x7x7 stem and expansion 4. The GFLOPs printed for depths 50 and 101 are "
    "twice the multiply-adds; the 26.6 printed for depth 34 is not reproduced.",
}


def _variant(
    name: str, facts: dict[str, Any], shape: dict[str, Any], params: int, macs: int, *tables: str
) -> Variant:
    card = ModelCard(name=name, tables=tables, params=params, macs=macs, **facts)
    return Variant(card, functools.partial(ResNet3D, **shape), _OPTIONS)


def _shape(block: str, *depths: int, **more: Any) -> dict[str, Any]:
    return {"block": block, "depths": depths, **more}


_R18 = _shape("basic", 2, 2, 2, 2)
_R34 = _shape("basic", 3, 4, 6, 3)
_R50 = _shape("bottleneck", 3, 4, 6, 3)
_R101 = _shape("bottleneck", 3, 4, 23, 3)
_R152 = _shape("bottleneck", 3, 8, 36, 3)
_WIDEN = {"outer": 4}
_WIDE = {"inner": 2}
_SMALL_STEM = {"stem_kernel": (3, 7, 7)}

VARIANTS = (
    _variant("r3d_18", _HARA, _R18, 33_409_104, 8_308_006_912),
    _variant("r3d_34", _HARA, _R34, 63_718_736, 12_696_297_472),
    _variant("r3d_50", _HARA, _R50 | _WIDEN, 47_018_576, 10_069_311_488, "CFP 7.1"),
    _variant("r3d_101", _HARA, _R101 | _WIDEN, 86_064_720, 13_890_715_648, "CFP 7.1"),
    _variant("r3d_152", _HARA, _R152 | _WIDEN, 118_223_440, 18_611_273_728, "CFP 7.1"),
    _variant("wide_r3d_50", _HARA, _R50 | _WIDEN | _WIDE, 158_248_272, 26_239_664_128),
    _variant("r3d_34_e1", _E1, _R34 | _SMALL_STEM, 63_681_104, 42_645_790_720, "thesis 4.2"),
    _variant("r3d_50_e1", _E1, _R50 | _SMALL_STEM, 36_724_688, 26_467_442_688, "thesis 4.2"),
    _variant("r3d_101_e1", _E1, _R101 | _SMALL_STEM, 69_060_048, 39_132_667_904, "thesis 4.2"),
    _variant(
        "wide_r3d_50_e1",
        _E1,
        _R50 | _SMALL_STEM | _WIDE,
        140_937_936,
        85_374_869_504,
        "thesis 6.4",
    ),
)

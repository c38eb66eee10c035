"""X3D: small networks grown one axis at a time (Feichtenhofer, CVPR 2020).

It has channel-wise (depthwise) convolutions, squeeze-excitation in every second block, and swish
inside bottlenecks that widen 2.25 times. All four stages stride in space, and none in time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.channelwise import channelwise
from vidjax.layers.conv import Conv
from vidjax.layers.pooling import global_avg_pool
from vidjax.layers.squeeze_excite import SqueezeExcite
from vidjax.models.blocks import Factories
from vidjax.models.cards import Family
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS, WIDTH
from vidjax.settings import one_of, optional
from vidjax.slots.block import Make

IMPLEMENTATIONS = {"pytorchvideo": "bare_projection", "mmaction2": "projection"}


def round_width(width: float, least: int = 8) -> int:
    """Rounds to a multiple of 8 that is at least 0.9 of the width, and at least `least`."""
    rounded = max(least, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class Stem(nn.Module):
    """A spatial convolution, a channel-wise convolution over time, a norm and an activation.

    Attributes:
      features: channels of the output.
      factories: factories of the layers.
    """

    features: int
    factories: Factories

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, 3]` to `[B, T, H/2, W/2, features]`."""
        x = Conv(self.features, (1, 3, 3), (1, 2, 2), name="conv")(x)
        x = channelwise(self.features, (5, 1, 1), name="conv_time")(x)
        return self.factories.act(self.factories.norm(name="norm")(x, train=train))


class Neck(nn.Module):
    """A widening convolution, the global mean, and a linear layer to the classifier's features.

    Attributes:
      width: channels before the mean.
      features: number of features that the classifier takes.
      norm: factory of the norm.
    """

    width: int
    features: int
    norm: Make

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to float32 `[B, features]`."""
        x = Conv(self.width, (1, 1, 1), name="conv")(x)
        x = global_avg_pool(nn.relu(self.norm(name="norm")(x, train=train)))
        return nn.relu(nn.Dense(self.features, use_bias=False, name="expand")(x))


def build(
    *,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    variant: str = "pytorchvideo",
    width: int | None = None,
    neck: int = 2048,
    dropout: float = 0.5,
    **options: Any,
) -> ResNet:
    """Builds an X3D network.

    Args:
      depths: blocks of each stage.
      widths: output channels of each stage, as published; the stem has the first.
      variant: `pytorchvideo`, or `mmaction2`, which also has a norm in the first shortcut of
        stage 1.
      width: channels of the stem; other widths scale with it. None is as published.
      neck: number of features that the classifier takes.
      dropout: dropout rate before the classifier.
      **options: as in `make_resnet`.

    Raises:
      ValueError: the variant has no effect, because a shortcut is given.
    """
    if variant != "pytorchvideo" and "shortcut" in options:
        raise ValueError(
            f"variant = {variant!r} has no effect, because shortcut = {options['shortcut']!r}: "
            "X3D's variants differ only in the shortcut"
        )
    if width is not None:
        widths = tuple(width * value // widths[0] for value in widths)
    inner = tuple(int(2.25 * value) for value in widths)

    def vary(stage: int, index: int, inputs: int, factories: Factories) -> Mapping[str, Any]:
        if index % 2:
            return {}
        excite = functools.partial(SqueezeExcite, round_width(inner[stage] / 16))
        return {"factories": dataclasses.replace(factories, excite=excite)}

    def parts(norm: Make) -> Mapping[str, Any]:
        return {"conv": channelwise, "middle_act": nn.swish}

    def make_neck(norm: Make) -> Mapping[str, Any]:
        return {"neck": functools.partial(Neck, inner[-1], neck, norm), "head_width": neck}

    return make_resnet(
        stem=Stem,
        block="bottleneck",
        depths=depths,
        width=widths[0],
        features=widths,
        inner=inner,
        strides=((1, 2, 2),) * 4,
        parts=parts,
        whole=make_neck,
        vary=vary,
        dropout=dropout,
        **({"shortcut": IMPLEMENTATIONS[variant]} | options),
    )


_FAMILY = Family(
    build,
    {**OPTIONS, "width": optional(WIDTH), "variant": one_of(*IMPLEMENTATIONS), "neck": WIDTH},
    {
        "mean": (0.45, 0.45, 0.45),
        "std": (0.225, 0.225, 0.225),
        "paper": "Feichtenhofer: X3D: Expanding Architectures for Efficient Video Recognition, "
        "CVPR 2020",
        "notes": "The published training uses zero_init. The authors test at 182x182 (XS, S), "
        "256x256 (M) and 356x356 (L, XL), and the papers count operations at these sizes. The "
        "printed parameters of XL do not include the norms'.",
    },
    defined_in=DEFINED_IN,
    resolved={"shortcut": IMPLEMENTATIONS["pytorchvideo"]},
)
_SMALL = {"depths": (3, 5, 11, 7), "widths": (24, 48, 96, 192)}
_LARGE = {"depths": (5, 10, 25, 15), "widths": (24, 48, 96, 192)}
_WIDE = {"depths": (5, 10, 25, 15), "widths": (32, 72, 136, 280)}

VARIANTS = (
    _FAMILY.variant("x3d_xs", _SMALL, 3_794_274, 605_256_512, clip=(4, 160, 160), frame_stride=12),
    _FAMILY.variant("x3d_s", _SMALL, 3_794_274, 1_962_892_112, clip=(13, 160, 160), frame_stride=6),
    _FAMILY.variant("x3d_m", _SMALL, 3_794_274, 4_732_468_736, clip=(16, 224, 224), frame_stride=5),
    _FAMILY.variant(
        "x3d_l",
        _LARGE,
        6_153_384,
        18_367_710_176,
        "thesis 5.5: 6.1 / 24.8",
        clip=(16, 312, 312),
        frame_stride=5,
    ),
    _FAMILY.variant(
        "x3d_xl",
        _WIDE,
        11_095_840,
        35_837_627_616,
        "thesis 5.1: 11.0 / 48.4",
        clip=(16, 312, 312),
        frame_stride=5,
    ),
)

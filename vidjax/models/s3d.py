"""S3D and S3D-G: Inception v1 with convolutions over space, then time (Xie et al., ECCV 2018).

S3D-G gates channels by their means. Public implementations differ in padding, norms and gates;
`variant` selects one. None has the number of parameters that the paper prints.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.conv2plus1d import Conv2Plus1D
from vidjax.layers.norm import BatchNorm
from vidjax.layers.pooling import max_pool
from vidjax.layers.self_gating import SelfGating
from vidjax.models.cards import Family
from vidjax.models.i3d import FAMILY_OPTIONS, same_pool
from vidjax.models.inception import Inception, Pool
from vidjax.settings import boolean, one_of
from vidjax.slots.block import Make, Triple


def symmetric_pool(x: jax.Array, window: Triple, strides: Triple) -> jax.Array:
    """Max-pools with equal padding on both sides; windows of two are not padded."""
    return max_pool(x, window, strides, [(size - 1) // 2 for size in window])


def ceiling_pool(x: jax.Array, window: Triple, strides: Triple) -> jax.Array:
    """Max-pools with window - stride of padding, and more at the end to cover every cell."""
    pads = []
    for size, own, step in zip(x.shape[1:4], window, strides, strict=True):
        total = max(own - step, 0)
        missing = -(size + total - own) % step
        pads.append((total // 2, total - total // 2 + missing))
    return max_pool(x, window, strides, pads)


@dataclass(frozen=True)
class Implementation:
    """What differs between public implementations.

    Attributes:
      epsilon: epsilon of the norms.
      momentum: share of the old running statistics that an update keeps.
      pool: max-pools over windows.
      padding: padding of convolutions; None is half a kernel on both sides.
      gate_bias: whether gates have a bias.
      windows: as in `Inception`.
    """

    epsilon: float
    momentum: float
    pool: Pool
    padding: str | None = None
    gate_bias: bool = True
    windows: bool = True


IMPLEMENTATIONS: Mapping[str, Implementation] = {
    "torchvision": Implementation(1e-3, 0.999, symmetric_pool),
    "slim": Implementation(1e-3, 0.999, same_pool, "SAME", gate_bias=False),
    "mil_nce": Implementation(1e-5, 0.9, ceiling_pool, windows=False),
}


class SpaceToDepth(nn.Module):
    """A convolution over cubes of 2x2x2 pixels, rearranged into channels (MIL-NCE's stem).

    Attributes:
      features: channels of the output.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, H, W, 3]`, all even, to `[B, T/2, H/2, W/2, features]`.

        Raises:
          ValueError: a size is odd.
        """
        batch, *sizes, channels = x.shape
        if any(size % 2 for size in sizes):
            raise ValueError(f"space_to_depth takes clips with even T, H and W, not {sizes}")
        halves = [size // 2 for size in sizes]
        cubes = x.reshape(batch, halves[0], 2, halves[1], 2, halves[2], 2, channels)
        cubes = cubes.transpose(0, 1, 3, 5, 2, 4, 6, 7).reshape(batch, *halves, 8 * channels)
        conv = Conv(self.features, (2, 4, 4), padding=(1, 2, 2), name="cubes")
        return conv(cubes)[:, 1:, 1:, 1:]


def _conv(features: int, kernel_size: Triple, **more: Any) -> nn.Module:
    """Convolves over space and then time, with equal channels; a 1x1x1 kernel is not split."""
    if kernel_size == (1, 1, 1):
        return Conv(features, kernel_size, name=more["name"])
    return Conv2Plus1D(features, kernel_size, mid=features, **more)


def build(
    *,
    variant: str = "torchvision",
    gated: bool = False,
    space_to_depth: bool = False,
    norm_epsilon: float | None = None,
    norm_group_size: int | None = None,
    **options: Any,
) -> Inception:
    """Builds an S3D.

    Args:
      variant: implementation: `torchvision` (equal padding on both sides), `slim` (the original in
        TensorFlow: SAME padding, gates without bias) or `mil_nce` (PyTorch's norms, the mean of all
        frames).
      gated: whether to gate the stem and each branch, and not to factorise the first convolution.
      space_to_depth: whether the first convolution is over cubes of 2x2x2 pixels (MIL-NCE's
        released networks).
      norm_epsilon: epsilon of the norms; None is the variant's.
      norm_group_size: clips that share batch statistics; None is the whole batch.
      **options: as in `Inception`.
    """
    own = IMPLEMENTATIONS[variant]
    norm = functools.partial(
        BatchNorm,
        momentum=own.momentum,
        epsilon=own.epsilon if norm_epsilon is None else norm_epsilon,
        group_size=norm_group_size,
    )
    conv = functools.partial(_conv, norm=norm, padding=own.padding)
    stem: Make = functools.partial(conv, kernel_size=(7, 7, 7), strides=(2, 2, 2))
    if space_to_depth:
        stem = SpaceToDepth
    elif gated:
        stem = functools.partial(
            Conv, kernel_size=(3, 7, 7), strides=(2, 2, 2), padding=own.padding
        )
    gate = functools.partial(SelfGating, use_bias=own.gate_bias) if gated else None
    return Inception(
        conv=conv, stem=stem, norm=norm, pool=own.pool, gate=gate, windows=own.windows, **options
    )


_PAPER = (
    "Xie, Sun, Huang, Tu, Murphy: Rethinking Spatiotemporal Feature Learning: Speed-Accuracy "
    "Trade-offs in Video Classification, ECCV 2018"
)
_FACTS = {"clip": (64, 224, 224), "frame_stride": 1, "paper": _PAPER}
_COMMON = {**FAMILY_OPTIONS, "variant": one_of(*IMPLEMENTATIONS)}
_PLAIN = Family(
    build,
    _COMMON,
    {
        **_FACTS,
        "mean": (0.43216, 0.394666, 0.37645),
        "std": (0.22803, 0.22145, 0.216989),
        "notes": "torchvision's weights were trained at 15 frames per second and score 68.4 % with "
        "one clip of 128 frames. Clips there need at least 14 frames. The paper prints 8.77 M and "
        "66.4 G, which no public code has.",
    },
    methods=("class_reg",),
    stages=(2, 3, 4),
    defined_in=(Inception,),
    resolved={"norm_epsilon": IMPLEMENTATIONS["torchvision"].epsilon},
)
_GATED = Family(
    functools.partial(build, gated=True),
    {**_COMMON, "space_to_depth": boolean()},
    {
        **_FACTS,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "notes": "The first convolution is not factorised and spans 3 frames, as slim's comment "
        "prefers. MIL-NCE's weights have space_to_depth, 512 outputs instead of classes, and "
        "colours in [0, 1] at 10 frames per second. The paper prints 11.56 M and 71.4 G, which no "
        "public code has.",
    },
    methods=("class_reg",),
    stages=(2, 3, 4),
    defined_in=(Inception,),
    resolved={"variant": "mil_nce", "norm_epsilon": IMPLEMENTATIONS["mil_nce"].epsilon},
)

VARIANTS = (
    _PLAIN.variant("s3d", {"dropout": 0.2}, 8_320_048, 71_913_857_024, "RMS 3"),
    _GATED.variant("s3dg", {"dropout": 0.2, "variant": "mil_nce"}, 9_535_072, 64_182_352_640),
)

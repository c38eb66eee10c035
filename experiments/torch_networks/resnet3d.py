"""3D ResNets, and ResNeXts whose middle convolutions have 32 groups (Hara et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidjax.models.stage_blocks import HALVING

from . import layers
from .layers import Site

_CUBE = (3, 3, 3)


def r3d(
    depths: Sequence[int], num_classes: int, width: int = 64, *, deep: bool = False
) -> nn.Module:
    """Builds a 3D ResNet.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, and inside the blocks of stage 1.
      deep: uses bottlenecks, four times as wide at their output, instead of basic blocks.
    """
    plan = list(layers.sites(depths, HALVING, width, width, width * (4 if deep else 1)))
    branch = layers.bottleneck if deep else _basic
    return layers.residual(_stem(width), plan, branch, num_classes)


def resnext3d(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """Builds a 3D ResNeXt; stage 1 is twice as wide as the stem inside, four times at its output.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, a multiple of 16.
    """
    plan = list(layers.sites(depths, HALVING, width, 2 * width, 4 * width))
    return layers.residual(
        _stem(width), plan, lambda site: layers.bottleneck(site, groups=32), num_classes
    )


def _stem(width: int) -> list[nn.Module]:
    return layers.stem(width, [layers.conv(3, width, (7, 7, 7), layers.SPATIAL)], layers.POOL)


def _basic(site: Site) -> list[nn.Module]:
    return [
        *layers.conv_norm(site.inputs, site.inner, _CUBE, site.stride),
        layers.relu(),
        *layers.conv_norm(site.inner, site.outputs, _CUBE),
    ]

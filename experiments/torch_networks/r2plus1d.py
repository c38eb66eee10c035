"""R(2+1)D: convolutions over space, then over time (Tran et al., CVPR 2018), as in VMZ."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidjax.models.stage_blocks import HALVING

from . import layers
from .layers import KEEP, Site, Triple

_STEM_BETWEEN = 45


def r2plus1d(
    depths: Sequence[int], num_classes: int, width: int = 64, *, deep: bool = False
) -> nn.Module:
    """Builds an R(2+1)D network.

    Args:
      depths: number of blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, and inside the blocks of stage 1.
      deep: uses bottlenecks after a max-pool, instead of basic blocks without one.
    """
    plan = list(layers.sites(depths, HALVING, width, width, width * (4 if deep else 1)))
    convolution = [
        *layers.conv_norm(3, _STEM_BETWEEN, (1, 7, 7), layers.SPATIAL),
        layers.relu(),
        layers.conv(_STEM_BETWEEN, width, (3, 1, 1)),
    ]
    entrance = layers.stem(width, convolution, layers.POOL_SPACE if deep else None)
    return layers.residual(entrance, plan, _bottleneck if deep else _basic, num_classes)


def _factorised(inputs: int, outputs: int, stride: Triple = KEEP) -> list[nn.Module]:
    """Returns a 3x3x3 convolution in two parts with about as many parameters, and a norm."""
    between = 27 * inputs * outputs // (9 * inputs + 3 * outputs)
    return [
        *layers.conv_norm(inputs, between, (1, 3, 3), (1, *stride[1:])),
        layers.relu(),
        *layers.conv_norm(between, outputs, (3, 1, 1), (stride[0], 1, 1)),
    ]


def _basic(site: Site) -> list[nn.Module]:
    return [
        *_factorised(site.inputs, site.inner, site.stride),
        layers.relu(),
        *_factorised(site.inner, site.outputs),
    ]


def _bottleneck(site: Site) -> list[nn.Module]:
    return [
        *layers.conv_norm(site.inputs, site.inner, KEEP),
        layers.relu(),
        *_factorised(site.inner, site.inner, site.stride),
        layers.relu(),
        *layers.conv_norm(site.inner, site.outputs, KEEP),
    ]

"""Interaction-reduced channel-separated networks (Tran et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidjax.models.stage_blocks import HALVING

from . import layers


def ir_csn(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """Builds an ir-CSN: bottlenecks whose 3x3x3 convolutions are channel-wise.

    Args:
      depths: number of blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem and inside the blocks of stage 1.
    """
    plan = list(layers.sites(depths, HALVING, width, width, 4 * width))
    convolution = [layers.conv(3, width, (3, 7, 7), layers.SPATIAL)]
    return layers.residual(
        layers.stem(width, convolution, layers.POOL_SPACE),
        plan,
        lambda site: layers.bottleneck(site, groups=site.inner),
        num_classes,
    )

"""Interaction-reduced channel-separated networks (Tran et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidjax.models.plans import HALVING

from . import parts


def ir_csn(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """Builds an ir-CSN: bottlenecks whose 3x3x3 convolutions are channel-wise.

    Args:
      depths: number of blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem and inside the blocks of stage 1.
    """
    plan = list(parts.sites(depths, HALVING, width, width, 4 * width))
    convolution = [parts.conv(3, width, (3, 7, 7), parts.SPATIAL)]
    return parts.residual(
        parts.stem(width, convolution, parts.POOL_SPACE),
        plan,
        lambda site: parts.bottleneck(site, groups=site.inner),
        num_classes,
    )

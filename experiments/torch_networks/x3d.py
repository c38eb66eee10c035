"""X3D (Feichtenhofer, CVPR 2020), with norms as in PyTorchVideo."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from . import layers
from .layers import KEEP, SPATIAL, Site

_FEATURES = 2048


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation: scales channels by gates from their global means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Conv3d(channels, squeezed, 1),
            layers.relu(),
            nn.Conv3d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps `[B, C, T, H, W]` to the same shape."""
        return x * self.gates(x)


def x3d(depths: Sequence[int], num_classes: int, width: int = 24) -> nn.Module:
    """Builds an X3D; blocks are 9/4 as wide inside as at their output.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem and of stage 1's output.
    """
    plan = list(layers.sites(depths, (SPATIAL,) * 4, width, width * 9 // 4, width))
    blocks = [layers.Residual(site, _branch(site)) for site in plan]
    last = plan[-1]
    return nn.Sequential(*_stem(width), *blocks, *_head(last.outputs, last.inner, num_classes))


def _branch(site: Site) -> list[nn.Module]:
    """Returns a channel-wise bottleneck; every other one has squeeze-and-excitation."""
    squeezed = 8 * -(-site.inner // 128)
    gates = [] if site.index % 2 else [SqueezeExcitation(site.inner, squeezed)]
    return layers.bottleneck(site, *gates, nn.SiLU(), groups=site.inner)


def _stem(width: int) -> list[nn.Module]:
    convolution = [
        layers.conv(3, width, (1, 3, 3), SPATIAL),
        layers.conv(width, width, (5, 1, 1), groups=width),
    ]
    return layers.stem(width, convolution, None)


def _head(inputs: int, inner: int, num_classes: int) -> list[nn.Module]:
    return [
        *layers.conv_norm(inputs, inner, KEEP),
        layers.relu(),
        nn.AdaptiveAvgPool3d(1),
        layers.conv(inner, _FEATURES, KEEP),
        layers.relu(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(_FEATURES, num_classes),
    ]

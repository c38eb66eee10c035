"""SlowOnly and SlowFast (Feichtenhofer et al., ICCV 2019), as PyTorchVideo connects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from vidjax.models.stage_blocks import HALVING_SPACE

from . import layers
from .layers import POOL_SPACE, SPATIAL, Site

_THINNER = 8
_DROPOUT = 0.5


def slowonly(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """Builds a SlowOnly network, whose bottlenecks convolve over time in stages 3 and 4.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, and inside the blocks of stage 1.
    """
    plan = list(layers.sites(depths, HALVING_SPACE, width, width, 4 * width))
    return layers.residual(_stem(width, 1), plan, _temporal_from(2), num_classes, _DROPOUT)


class SlowFast(nn.Module):
    """A slow pathway with every `alpha`-th frame, and a fast pathway with an eighth of its width.

    After the stem and the first three stages, convolutions over time pass fast features on.
    """

    def __init__(
        self, depths: Sequence[int], num_classes: int, width: int, alpha: int, lateral_kernel: int
    ) -> None:
        super().__init__()
        thin = width // _THINNER
        self.alpha = alpha
        self.slow_stem = nn.Sequential(*_stem(width, 1))
        self.fast_stem = nn.Sequential(*_stem(thin, 5))
        plans = [
            list(layers.sites(depths, HALVING_SPACE, each, each, 4 * each))
            for each in (width, thin)
        ]
        self.slow = nn.ModuleList(_stages(plans[0], _temporal_from(2), widened=2 / _THINNER))
        self.fast = nn.ModuleList(_stages(plans[1], _temporal_from(0), widened=0))
        carried = [thin, *(4 * thin * 2**stage for stage in range(3))]
        self.laterals = nn.ModuleList(_lateral(each, alpha, lateral_kernel) for each in carried)
        self.head = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(32 * (width + thin), num_classes))

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """Maps `[B, 3, T, H, W]` to logits `[B, num_classes]`."""
        length = clip.shape[2]
        picked = torch.linspace(0, length - 1, length // self.alpha, device=clip.device).long()
        slow, fast = self.slow_stem(clip[:, :, picked]), self.fast_stem(clip)
        for lateral, slow_stage, fast_stage in zip(
            self.laterals, self.slow, self.fast, strict=True
        ):
            slow = slow_stage(torch.cat([slow, lateral(fast)], 1))
            fast = fast_stage(fast)
        return self.head(torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], 1))


def slowfast(
    depths: Sequence[int], num_classes: int, width: int = 64, alpha: int = 4, kernel: int = 7
) -> nn.Module:
    """Builds a SlowFast network.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the slow stem, a multiple of 8.
      alpha: frames of the fast pathway per frame of the slow one.
      kernel: temporal kernel size of the lateral connections.
    """
    return SlowFast(depths, num_classes, width, alpha, kernel)


def _stem(width: int, time: int) -> list[nn.Module]:
    return layers.stem(width, [layers.conv(3, width, (time, 7, 7), SPATIAL)], POOL_SPACE)


def _temporal_from(first: int) -> Callable[[Site], list[nn.Module]]:
    """Returns a function that builds bottlenecks, which convolve over time from a stage on."""

    def branch(site: Site) -> list[nn.Module]:
        return layers.bottleneck(site, time=3 if site.stage >= first else 1, kernel=(1, 3, 3))

    return branch


def _stages(
    plan: Sequence[Site], branch: Callable[[Site], list[nn.Module]], widened: float
) -> list[nn.Module]:
    """Builds the stages; `widened` is the share of lateral channels added to their inputs."""
    stages = []
    for stage in range(4):
        blocks = []
        for site in (site for site in plan if site.stage == stage):
            if site.index == 0:
                wide = site.inputs + round(widened * site.inputs)
                site = Site(stage, 0, wide, site.inner, site.outputs, site.stride)
            blocks.append(layers.Residual(site, branch(site)))
        stages.append(nn.Sequential(*blocks))
    return stages


def _lateral(channels: int, alpha: int, kernel: int) -> nn.Module:
    convolution = layers.conv_norm(channels, 2 * channels, (kernel, 1, 1), (alpha, 1, 1))
    return nn.Sequential(*convolution, layers.relu())

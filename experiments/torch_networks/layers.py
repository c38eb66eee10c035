"""Building blocks of the residual networks in PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

Triple = tuple[int, int, int]
KEEP: Triple = (1, 1, 1)
SPATIAL: Triple = (1, 2, 2)
POOL: tuple[Triple, Triple] = ((3, 3, 3), (2, 2, 2))
POOL_SPACE: tuple[Triple, Triple] = ((1, 3, 3), (1, 2, 2))


@dataclasses.dataclass(frozen=True)
class Site:
    """A place for a block: its stage and index from 0, its channels and its stride."""

    stage: int
    index: int
    inputs: int
    inner: int
    outputs: int
    stride: Triple


Branch = Callable[[Site], Sequence[nn.Module]]


def sites(
    depths: Sequence[int], strides: Sequence[Triple], inputs: int, inner: int, outer: int
) -> Iterator[Site]:
    """Yields the places of all blocks; `inner` and `outer` are stage 1's widths and double."""
    for stage, (depth, stride) in enumerate(zip(depths, strides, strict=True)):
        outputs = outer * 2**stage
        for index in range(depth):
            yield Site(stage, index, inputs, inner * 2**stage, outputs, KEEP if index else stride)
            inputs = outputs


def conv(
    inputs: int, outputs: int, kernel: Triple, stride: Triple = KEEP, groups: int = 1
) -> nn.Conv3d:
    """Returns a convolution without bias that keeps the size at stride 1."""
    pads = tuple(size // 2 for size in kernel)
    return nn.Conv3d(inputs, outputs, kernel, stride, pads, groups=groups, bias=False)


def conv_norm(
    inputs: int, outputs: int, kernel: Triple, stride: Triple = KEEP, groups: int = 1
) -> list[nn.Module]:
    """Returns a convolution and a batch norm."""
    return [conv(inputs, outputs, kernel, stride, groups), nn.BatchNorm3d(outputs)]


def relu() -> nn.Module:
    """Returns an in-place ReLU."""
    return nn.ReLU(inplace=True)


def bottleneck(
    site: Site, *middle: nn.Module, time: int = 1, kernel: Triple = (3, 3, 3), groups: int = 1
) -> list[nn.Module]:
    """Returns the residual branch of a bottleneck.

    Args:
      site: place of the block.
      *middle: layers after the norm of the middle convolution; by default an activation.
      time: temporal size of the first kernel.
      kernel: kernel size of the middle convolution.
      groups: groups of the middle convolution.
    """
    return [
        *conv_norm(site.inputs, site.inner, (time, 1, 1)),
        relu(),
        *conv_norm(site.inner, site.inner, kernel, site.stride, groups),
        *(middle or [relu()]),
        *conv_norm(site.inner, site.outputs, KEEP),
    ]


def shortcut(site: Site) -> list[nn.Module]:
    """Returns the layers of a shortcut: none if the shape stays, a norm if the width changes."""
    if site.inputs != site.outputs:
        return conv_norm(site.inputs, site.outputs, KEEP, site.stride)
    return [] if site.stride == KEEP else [conv(site.inputs, site.outputs, KEEP, site.stride)]


class Residual(nn.Module):
    """A residual block: a branch and a shortcut, summed and rectified."""

    def __init__(self, site: Site, branch: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)
        self.short = nn.Sequential(*shortcut(site))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps `[B, C, T, H, W]` to the block's output shape."""
        return torch.relu(self.branch(x) + self.short(x))


def stem(
    width: int, convolution: Sequence[nn.Module], pool: tuple[Triple, Triple] | None
) -> list[nn.Module]:
    """Returns a stem: a convolution, norm, activation and max-pool."""
    layers = [*convolution, nn.BatchNorm3d(width), relu()]
    if pool is not None:
        layers.append(nn.MaxPool3d(*pool, tuple(size // 2 for size in pool[0])))
    return layers


def head(channels: int, num_classes: int, dropout: float = 0.0) -> list[nn.Module]:
    """Returns the head: global mean, dropout and classifier."""
    drop = [nn.Dropout(dropout)] if dropout else []
    return [nn.AdaptiveAvgPool3d(1), nn.Flatten(), *drop, nn.Linear(channels, num_classes)]


def residual(
    entrance: Sequence[nn.Module],
    plan: Sequence[Site],
    branch: Branch,
    num_classes: int,
    dropout: float = 0.0,
) -> nn.Module:
    """Builds a network from a stem, a block at each place of a plan, and a head."""
    blocks = [Residual(site, branch(site)) for site in plan]
    return nn.Sequential(*entrance, *blocks, *head(plan[-1].outputs, num_classes, dropout))

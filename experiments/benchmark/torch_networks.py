"""Video networks in PyTorch, as the peers that speed is measured against.

Every network maps clips `[B, 3, T, H, W]` to logits `[B, num_classes]`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch import nn

Triple = tuple[int, int, int]

_KEEP: Triple = (1, 1, 1)
_SPATIAL: Triple = (1, 2, 2)
_HALVE: Triple = (2, 2, 2)
_RESNET_STRIDES = (_KEEP, _HALVE, _HALVE, _HALVE)

_X3D_DEPTHS = (3, 5, 11, 7)
_X3D_FEATURES = 2048


@dataclasses.dataclass(frozen=True)
class _Site:
    """Where a block stands: its index in its stage, its channels, its stride."""

    index: int
    inputs: int
    inner: int
    outputs: int
    stride: Triple


def _sites(
    depths: Sequence[int], strides: Sequence[Triple], inputs: int, inner: int, outer: int
) -> Iterator[_Site]:
    """All blocks in order; `inner` and `outer` are stage 1's widths, doubled at each stage."""
    for stage, (depth, stride) in enumerate(zip(depths, strides, strict=True)):
        outputs = outer * 2**stage
        for index in range(depth):
            yield _Site(index, inputs, inner * 2**stage, outputs, _KEEP if index else stride)
            inputs = outputs


def _conv(
    inputs: int, outputs: int, kernel: Triple, stride: Triple = _KEEP, groups: int = 1
) -> nn.Conv3d:
    pads = tuple(size // 2 for size in kernel)
    return nn.Conv3d(inputs, outputs, kernel, stride, pads, groups=groups, bias=False)


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def _conv_norm(
    inputs: int, outputs: int, size: int, stride: Triple = _KEEP, groups: int = 1
) -> list[nn.Module]:
    conv = _conv(inputs, outputs, (size, size, size), stride, groups)
    return [conv, nn.BatchNorm3d(outputs)]


def _basic(site: _Site) -> list[nn.Module]:
    return [
        *_conv_norm(site.inputs, site.inner, 3, site.stride),
        _relu(),
        *_conv_norm(site.inner, site.outputs, 3),
    ]


def _bottleneck(site: _Site, groups: int, *middle: nn.Module) -> list[nn.Module]:
    """A bottleneck's branch; `middle` follows the norm of its 3x3x3 convolution."""
    return [
        *_conv_norm(site.inputs, site.inner, 1),
        _relu(),
        *_conv_norm(site.inner, site.inner, 3, site.stride, groups),
        *middle,
        *_conv_norm(site.inner, site.outputs, 1),
    ]


def _shortcut(site: _Site) -> list[nn.Module]:
    """Nothing where the shape stays, a norm only where the width changes."""
    if site.inputs != site.outputs:
        return _conv_norm(site.inputs, site.outputs, 1, site.stride)
    return [] if site.stride == _KEEP else [_conv(site.inputs, site.outputs, _KEEP, site.stride)]


class _Residual(nn.Module):
    """A branch and the shortcut that its site asks for, summed and rectified."""

    def __init__(self, site: _Site, branch: list[nn.Module]) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)
        self.short = nn.Sequential(*_shortcut(site))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.branch(x) + self.short(x))


class _SqueezeExcitation(nn.Module):
    """Scales channels by gates computed from their global means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Conv3d(channels, squeezed, 1),
            _relu(),
            nn.Conv3d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gates(x)


def _resnet_stem(width: int, kernel: Triple, pool: Triple, pool_stride: Triple) -> list[nn.Module]:
    pads = tuple(size // 2 for size in pool)
    return [
        _conv(3, width, kernel, _SPATIAL),
        nn.BatchNorm3d(width),
        _relu(),
        nn.MaxPool3d(pool, pool_stride, pads),
    ]


def _mean_and_linear(channels: int, num_classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(channels, num_classes)]


def r3d(
    block: str,
    depths: Sequence[int],
    stem_kernel: Triple,
    inner: int,
    outer: int,
    width: int,
    num_classes: int,
) -> nn.Module:
    """A 3D ResNet of four stages.

    Args:
      block: `basic` or `bottleneck`.
      depths: blocks of each stage.
      stem_kernel: of the first convolution.
      inner: width inside the blocks of stage 1, as a multiple of `width`.
      outer: width of stage 1's output, as a multiple of `width`.
      width: channels of the stem.
      num_classes: number of logits.
    """
    sites = list(_sites(depths, _RESNET_STRIDES, width, inner * width, outer * width))
    deep = {"basic": False, "bottleneck": True}[block]
    blocks = [_Residual(s, _bottleneck(s, 1, _relu()) if deep else _basic(s)) for s in sites]
    stem = _resnet_stem(width, stem_kernel, (3, 3, 3), _HALVE)
    return nn.Sequential(*stem, *blocks, *_mean_and_linear(sites[-1].outputs, num_classes))


def ir_csn(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """An interaction-reduced channel-separated network: depthwise 3x3x3 in bottlenecks.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, and inside the blocks of stage 1.
    """
    sites = list(_sites(depths, _RESNET_STRIDES, width, width, 4 * width))
    blocks = [_Residual(site, _bottleneck(site, site.inner, _relu())) for site in sites]
    stem = _resnet_stem(width, (3, 7, 7), (1, 3, 3), _SPATIAL)
    return nn.Sequential(*stem, *blocks, *_mean_and_linear(sites[-1].outputs, num_classes))


def resnext3d(depths: Sequence[int], num_classes: int, width: int = 64) -> nn.Module:
    """A 3D ResNeXt: bottlenecks whose 3x3x3 convolutions have 32 groups.

    Args:
      depths: blocks of each of the four stages.
      num_classes: number of logits.
      width: channels of the stem, a multiple of 16; stage 1 is twice as wide inside its blocks
        and four times at its output.
    """
    sites = list(_sites(depths, _RESNET_STRIDES, width, 2 * width, 4 * width))
    blocks = [_Residual(site, _bottleneck(site, 32, _relu())) for site in sites]
    stem = _resnet_stem(width, (7, 7, 7), (3, 3, 3), _HALVE)
    return nn.Sequential(*stem, *blocks, *_mean_and_linear(sites[-1].outputs, num_classes))


def _x3d_block(site: _Site) -> nn.Module:
    """A depthwise bottleneck; every other one squeezes to a 16th, rounded up to eights."""
    squeezed = 8 * -(-site.inner // 128)
    gates = [] if site.index % 2 else [_SqueezeExcitation(site.inner, squeezed)]
    return _Residual(site, _bottleneck(site, site.inner, *gates, nn.SiLU()))


def _x3d_stem(width: int) -> list[nn.Module]:
    return [
        _conv(3, width, (1, 3, 3), _SPATIAL),
        _conv(width, width, (5, 1, 1), groups=width),
        nn.BatchNorm3d(width),
        _relu(),
    ]


def _x3d_head(inputs: int, inner: int, num_classes: int) -> list[nn.Module]:
    return [
        *_conv_norm(inputs, inner, 1),
        _relu(),
        nn.AdaptiveAvgPool3d(1),
        _conv(inner, _X3D_FEATURES, _KEEP),
        _relu(),
        nn.Flatten(),
        nn.Linear(_X3D_FEATURES, num_classes),
    ]


def x3d_s(num_classes: int, width: int = 24) -> nn.Module:
    """X3D-S, whose blocks are 9/4 as wide inside as at their output.

    Args:
      num_classes: number of logits.
      width: channels of the stem and of stage 1's output.
    """
    sites = list(_sites(_X3D_DEPTHS, (_SPATIAL,) * 4, width, width * 9 // 4, width))
    blocks = [_x3d_block(site) for site in sites]
    head = _x3d_head(sites[-1].outputs, sites[-1].inner, num_classes)
    return nn.Sequential(*_x3d_stem(width), *blocks, *head)

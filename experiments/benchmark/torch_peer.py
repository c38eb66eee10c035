"""The 3D ResNets in PyTorch, as the peer that speed is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class _Block(nn.Module):
    """A basic block, or a bottleneck when `inner` differs in kind (`deep`)."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, deep: bool) -> None:
        super().__init__()
        kernels = (1, 3, 1) if deep else (3, 3)
        widths = (inputs, inner, inner, outputs) if deep else (inputs, inner, outputs)
        strides = (1, stride, 1) if deep else (stride, 1)
        layers: list[nn.Module] = []
        for index, kernel in enumerate(kernels):
            layers += [
                _conv(widths[index], widths[index + 1], kernel, strides[index]),
                nn.BatchNorm3d(widths[index + 1]),
                nn.ReLU(inplace=True),
            ]
        self.branch = nn.Sequential(*layers[:-1])
        changes = stride > 1 or inputs != outputs
        short = [_conv(inputs, outputs, 1, stride), nn.BatchNorm3d(outputs)] if changes else []
        self.short = nn.Sequential(*short)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.branch(x) + self.short(x))


def from_module(model: Any) -> nn.Module:
    """The PyTorch network of the same shape as a `vidjax.models.resnet3d.ResNet3D`."""
    kernel = model.stem_kernel
    pads = tuple(size // 2 for size in kernel)
    layers: list[nn.Module] = [
        nn.Conv3d(3, model.width, kernel, (1, 2, 2), pads, bias=False),
        nn.BatchNorm3d(model.width),
        nn.ReLU(inplace=True),
        nn.MaxPool3d(3, 2, 1),
    ]
    channels = model.width
    for stage, depth in enumerate(model.depths):
        inner = model.width * model.inner * 2**stage
        outputs = model.width * model.outer * 2**stage
        for block in range(depth):
            stride = 2 if stage and not block else 1
            layers.append(_Block(channels, inner, outputs, stride, model.block == "bottleneck"))
            channels = outputs
    layers += [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(channels, model.num_classes)]
    return nn.Sequential(*layers)


def train_step(model: Any, shape: tuple[int, ...], *, channels_last: bool) -> Callable[[], float]:
    """A forward and backward pass and an SGD update on a fixed batch `[B, T, H, W, 3]`."""
    network = from_module(model)
    clip = torch.randn(shape[0], shape[4], *shape[1:4])
    if channels_last:
        network = network.to(memory_format=torch.channels_last_3d)
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
    labels = torch.arange(shape[0]) % model.num_classes
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(network(clip), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step

"""The training step of a network in PyTorch eager: the peer that speed is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def train_step(
    peer: nn.Module, shape: tuple[int, ...], num_classes: int, *, channels_last: bool
) -> Callable[[], float]:
    """A forward and backward pass and an SGD update on a fixed batch `[B, T, H, W, 3]`."""
    clip = torch.randn(shape[0], shape[4], *shape[1:4])
    if channels_last:
        peer = peer.to(memory_format=torch.channels_last_3d)
        clip = clip.contiguous(memory_format=torch.channels_last_3d)
    labels = torch.arange(shape[0]) % num_classes
    optimizer = torch.optim.SGD(peer.parameters(), lr=0.01, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(peer(clip), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step

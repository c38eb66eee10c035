"""The training step of a network in PyTorch eager: the peer that speed is measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from experiments.benchmark import torch_networks as networks
from vidjax.models.plans import DEPTHS


def network(
    name: str, num_classes: int, width: int | None, depths: Sequence[int] | None
) -> nn.Module | None:
    """The network of that name in PyTorch, or None where there is no peer of it.

    Args:
      name: as in `vidjax.list_models()`.
      num_classes: number of logits.
      width: channels of the stem; None is as published.
      depths: blocks of each stage; None is as published.
    """
    family, _, size = name.rpartition("_")
    if family == "x3d" and size in ("xs", "s", "m"):
        return networks.x3d_s(num_classes, width or 24)
    if not size.isdigit():
        return None
    depths = depths or DEPTHS[int(size)]
    if family == "ir_csn":
        return networks.ir_csn(depths, num_classes, width or 64)
    if family == "resnext3d":
        return networks.resnext3d(depths, num_classes, width or 64)
    if family == "r3d":
        block, outer = ("basic", 1) if int(size) < 50 else ("bottleneck", 4)
        return networks.r3d(block, depths, (7, 7, 7), 1, outer, width or 64, num_classes)
    return None


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

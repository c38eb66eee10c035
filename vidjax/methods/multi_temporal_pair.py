"""MTConvs on a pair of clips, as released: one clip keeps its low resolution throughout.

The code published with the thesis never resizes the prolonged branch to full size. Blocks pass on a
pair: the short clip at full size, and the long one at half of it in space and time. They are
combined before the classifier. Blocks have four convolutions, and each clip is aligned separately.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.downsampling import Downsampling
from vidjax.layers.norm import BatchNorm
from vidjax.layers.resize import trilinear
from vidjax.methods.multi_temporal import POINT, Triple, shares
from vidjax.methods.squeeze_recursion import SqueezeRecursion

Pair = tuple[jax.Array, jax.Array]


def halving(name: str) -> Downsampling:
    """Makes the released downsampling of the long clip: means, and the most redundant frames."""
    return Downsampling("average", choose="highest", squared=True, name=name)


class PairedMTConv(nn.Module):
    """A convolution and norm for both clips, with a path from the short clip to the long one.

    Attributes:
      features: channels of both clips together; the short clip has floor(delta C) of them.
      kernel_size: kernel size along T, H, W.
      strides: strides along T, H, W.
      delta: share of the short clip, in (0, 1).
      norm: factory of norms; the long clip's two summands share one.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    delta: float = 7 / 8
    norm: Any = BatchNorm

    @nn.compact
    def __call__(self, pair: Pair, *, train: bool) -> Pair:
        """Maps a pair `[B, T, H, W, C]`, `[B, T/2, H/2, W/2, C']` to such a pair, not activated.

        Raises:
          ValueError: delta leaves one clip without channels.
        """
        local, prolonged = shares(self.features, self.delta)
        if not prolonged:
            raise ValueError(
                f"MTConv delta = {self.delta}: the long clip of the pair gets no channels"
            )
        short = Conv(local, self.kernel_size, self.strides, name="local")(pair[0])
        long = Conv(prolonged, self.kernel_size, self.strides, name="prolonged")(pair[1])
        across = trilinear(halving("halving")(short, train=train), long.shape[1:4])
        across = Conv(prolonged, POINT, name="lateral")(across)
        norm = self.norm(name="norm_prolonged")
        short = self.norm(name="norm_local")(short, train=train)
        return short, norm(across, train=train) + norm(long, train=train)


class PairedMTBlock(nn.Module):
    """Four MTConvs, squeeze and recursion of each clip, the addition and ReLU.

    Attributes:
      features: channels of both clips together.
      width: channels inside the block.
      strides: strides of the third convolution.
      project: whether the shortcut is a convolution; then the branch's last one is point-wise.
      delta: as in `PairedMTConv`.
      cell: cell of the squeeze and recursion.
      layers: number of layers of cells.
      norm: factory of norms.
    """

    features: int
    width: int
    strides: Triple = (1, 1, 1)
    project: bool = False
    delta: float = 7 / 8
    cell: str = "gru"
    layers: int = 2
    norm: Any = BatchNorm

    @nn.compact
    def __call__(self, pair: Pair, *, train: bool) -> Pair:
        """Maps a pair of clips to a pair."""
        inputs = pair[0].shape[-1] + pair[1].shape[-1]
        plan = (
            (self.width, POINT, POINT),
            (inputs, POINT, POINT),
            (self.width, (3, 3, 3), self.strides),
            (self.features, POINT if self.project else (1, 3, 3), POINT),
        )
        found = pair
        for number, (features, kernel, strides) in enumerate(plan, start=1):
            conv = self._conv(features, kernel, strides, f"conv{number}")
            found = conv(found, train=train)
            found = found if number == len(plan) else _relu(found)
        if self.project:
            pair = self._shortcut(pair, train=train)
        aligned = (
            SqueezeRecursion(self.cell, self.layers, name=f"align_{name}")(clip)
            for name, clip in zip(("short", "long"), found, strict=True)
        )
        short, long = (old + new for old, new in zip(pair, aligned, strict=True))
        return _relu((short, long))

    def _shortcut(self, pair: Pair, *, train: bool) -> Pair:
        """Applies the shortcut to each clip separately."""
        projected = []
        for name, clip, features in zip(
            ("short", "long"), pair, shares(self.features, self.delta), strict=True
        ):
            y = Conv(features, POINT, self.strides, name=f"shortcut_{name}")(clip)
            projected.append(self.norm(name=f"shortcut_norm_{name}")(y, train=train))
        return projected[0], projected[1]

    def _conv(self, features: int, kernel: Triple, strides: Triple, name: str) -> PairedMTConv:
        return PairedMTConv(features, kernel, strides, self.delta, self.norm, name=name)


def _relu(pair: Pair) -> Pair:
    return nn.relu(pair[0]), nn.relu(pair[1])

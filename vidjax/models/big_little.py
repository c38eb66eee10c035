"""Stages with a big and a little branch (Fan et al., NeurIPS 2019, section 3.1).

Odd frames go through many blocks at half the resolution, even frames through few thin blocks at
full resolution. The sum of the branches represents both.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.layers.conv import Conv
from vidjax.layers.temporal_aggregation import TemporalAggregation
from vidjax.models.blocks import Factories
from vidjax.slots.block import Triple

HALF: Triple = (1, 2, 2)
FULL: Triple = (1, 1, 1)


class ConvNorm(nn.Module):
    """A convolution followed by a norm."""

    features: int
    size: int
    factories: Factories
    strides: Triple = FULL

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H', W', features]`."""
        x = Conv(self.features, (1, self.size, self.size), self.strides, name="conv")(x)
        return self.factories.norm(name="norm")(x, train=train)


def merge(big: jax.Array, little: jax.Array) -> jax.Array:
    """Adds and activates the branches, after upsampling the big one by repetition."""
    for axis in (2, 3):
        length = little.shape[axis]
        big = jnp.take(big, np.arange(length) * big.shape[axis] // length, axis=axis)
    return nn.relu(big + little)


class Entrance(nn.Module):
    """The first pair of a big and a little branch, made of plain convolutions.

    Attributes:
      width: number of channels.
      alpha: the little branch has `1 / alpha` of the channels.
      factories: factories of the layers.
    """

    width: int
    alpha: int
    factories: Factories

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, width]` to `[B, T, H/2, W/2, width]`; T is even."""
        unit = functools.partial(ConvNorm, factories=self.factories)
        thin = self.width // self.alpha
        x = TemporalAggregation(name="aggregation")(x)
        big = unit(self.width, 3, strides=HALF, name="big")(x[:, 1::2], train=train)
        little = nn.relu(unit(thin, 3, name="little1")(x[:, 0::2], train=train))
        little = nn.relu(unit(thin, 3, strides=HALF, name="little2")(little, train=train))
        little = unit(self.width, 1, name="little3")(little, train=train)
        y = unit(self.width, 1, name="fusion")(merge(big, little), train=train)
        return jnp.repeat(nn.relu(y), 2, axis=1)


class BigLittle(nn.Module):
    """A stage of two branches, and a block that merges them.

    Attributes:
      features: channels of the output.
      depth: blocks of the stage, of which the last one merges the branches.
      strides: strides of the merging block.
      alpha: the little branch has `1 / alpha` of the channels.
      beta: the little branch has `1 / beta` of the blocks.
      block: factory of blocks.
      factories: factories of the layers.
    """

    features: int
    depth: int
    strides: Triple
    alpha: int
    beta: int
    block: Any
    factories: Factories

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T, H', W', features]`; T is even."""
        x = TemporalAggregation(name="aggregation")(x)
        big, little = x[:, 1::2], x[:, 0::2]
        last = self.depth - 2
        for index in range(self.depth - 1):
            strides, act = (FULL if index else HALF), index < last or last == 0
            make = functools.partial(self.block, self.features, width=self.features // 4)
            block = make(strides=strides, last_act=act, name=f"big{index + 1}")
            big = block(big, train=train)
        thin = self.features // self.alpha
        for index in range(max(1, self.depth // self.beta - 1)):
            block = self.block(thin, width=thin // 4, name=f"little{index + 1}")
            little = block(little, train=train)
        little = ConvNorm(self.features, 1, self.factories, name="widen")(little, train=train)
        fusion = self.block(
            self.features, width=self.features // 4, strides=self.strides, name="fusion"
        )
        return jnp.repeat(fusion(merge(big, little), train=train), 2, axis=1)

"""Multi-temporal convolutions (MTConv): short motions in detail beside long ones at half the size.

Stergiou, thesis, section 5.3.1, eq. 5.1 to 5.7. A local branch convolves most channels. A prolonged
branch convolves the others, pooled in space and with half of their frames, and adds the output of
the local branch. It is then resized to full size, and both branches are concatenated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.docstrings import settings_of
from vidjax.layers.conv import Conv
from vidjax.layers.downsampling import NEEDS as HALVING_NEEDS
from vidjax.layers.downsampling import SETTINGS as HALVING
from vidjax.layers.downsampling import Downsampling
from vidjax.layers.norm import BatchNorm
from vidjax.layers.resize import trilinear
from vidjax.layers.temporal_frame_selection import temporal_frame_selection
from vidjax.settings import Kind, boolean, check, number, one_of
from vidjax.slots import (
    STAGES,
    AllSlots,
    Option,
    Places,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
)

Triple = tuple[int, int, int]
POINT: Triple = (1, 1, 1)
# Settings that networks of MTConvs let users choose, besides those of downsampling.
BRANCHES: Mapping[str, Kind] = {
    "delta": Kind("a share in (0, 1]", number(above=0, most=1).accepts),
    "kernels": one_of("dense", "factorised", "depthwise"),
    "split_input": boolean(),
    "lateral_from": one_of("activation", "convolution"),
    "share_norm": boolean(),
    "activate": one_of("each", "sum"),
}
SETTINGS: Mapping[str, Kind] = {**BRANCHES, **HALVING}
_TWO_BRANCHES = {"delta": Kind("a share below 1", lambda delta: delta < 1)}
# Settings that need others: all except the kernels belong to the prolonged branch.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    name: {**_TWO_BRANCHES, **HALVING_NEEDS.get(name, {})}
    for name in SETTINGS
    if name not in ("delta", "kernels")
}


class MTConv(nn.Module):
    """A convolution, norm and ReLU in two branches (thesis, figure 5.2 and eq. 5.2 to 5.4).

    Attributes:
      features: output channels C; the first floor(delta C) of them are the local branch's.
      kernel_size: kernel size along T, H, W.
      strides: strides along T, H, W.
      delta: share of the local branch, in (0, 1]; 1 leaves out the prolonged branch.
      kernels: `dense`; `factorised` into space and time, 1x3x3 and 3x1x1; or `depthwise`.
      pool: as in `Downsampling`, which downsamples the inputs of the prolonged branch.
      frames: as in `Downsampling`.
      choose: as in `Downsampling`.
      squared: as in `Downsampling`.
      edge: as in `Downsampling`.
      odd: as in `Downsampling`.
      split_input: whether each branch sees its share of the input (table 5.6), or both see all of
        it (eq. 5.2).
      lateral_from: features that the local branch passes to the prolonged one: those after its
        `activation`, or those of the bare `convolution`.
      share_norm: whether the prolonged branch's two summands share one norm (released code).
      activate: activates `each` summand before the addition (eq. 5.3), or the `sum` (released
        code).
      groups: must be 1; set by the network.
      norm: factory of norms.
    """

    features: int
    kernel_size: Triple = (3, 3, 3)
    strides: Triple = (1, 1, 1)
    delta: float = 7 / 8
    kernels: str = "dense"
    pool: str = "soft"
    frames: str = "selected"
    choose: str = "lowest"
    squared: bool = False
    edge: str = "never"
    odd: str = "floor"
    split_input: bool = True
    lateral_from: str = "activation"
    share_norm: bool = False
    activate: str = "each"
    groups: int = 1
    norm: Any = BatchNorm
    composed = True
    normed = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`, all non-negative.

        Raises:
          ValueError: a setting is not allowed, or leaves a branch without channels.
        """
        check(vars(self), SETTINGS, "MTConv ")
        if self.groups != 1:
            raise ValueError(
                f"MTConvs do not support groups, but this network's convolutions have "
                f"{self.groups}: use kernels='depthwise' for channel-wise networks"
            )
        local, prolonged = shares(self.features, self.delta)
        near, far = x, x
        if self.split_input and prolonged:
            near, far = jnp.split(x, [shares(x.shape[-1], self.delta)[0]], axis=-1)
        raw = self._conv(near, local, "local", train=train)
        found = nn.relu(self.norm(name="norm_local")(raw, train=train))
        if not prolonged:
            return found
        lateral = found if self.lateral_from == "activation" else raw
        low = self._prolonged(far, lateral, prolonged, train=train)
        return jnp.concatenate([found, trilinear(low, found.shape[1:4])], axis=-1)

    def _prolonged(
        self, x: jax.Array, lateral: jax.Array, features: int, *, train: bool
    ) -> jax.Array:
        """Computes the prolonged branch at its own size (eq. 5.3 and 5.4, before interpolation)."""
        halved = Downsampling(**{name: getattr(self, name) for name in HALVING}, name="halving")
        own = self._conv(halved(x, train=train), features, "prolonged", train=train)
        across = Conv(features, POINT, name="lateral")(halved(lateral, train=train))
        # After a strided convolution the sizes differ. A point-wise convolution may precede
        # resizing.
        across = trilinear(across, own.shape[1:4])
        norm = self.norm(name="norm_prolonged")
        own = norm(own, train=train)
        if not self.share_norm:
            norm = self.norm(name="norm_lateral")
        across = norm(across, train=train)
        if self.activate == "sum":
            return nn.relu(across + own)
        return nn.relu(across) + nn.relu(own)

    def _conv(self, x: jax.Array, features: int, name: str, *, train: bool) -> jax.Array:
        kernel, strides = self.kernel_size, self.strides
        if self.kernels == "depthwise" and kernel != POINT:
            if x.shape[-1] != features:
                raise ValueError(
                    f"a depthwise MTConv keeps the number of channels, but the {name} branch has "
                    f"{x.shape[-1]} and then {features}"
                )
            return Conv(features, kernel, strides, groups=features, name=name)(x)
        if self.kernels == "factorised" and kernel[0] > 1 and kernel[1:] != (1, 1):
            # The first part has all strides, even the temporal one: only then do MTNets have the
            # thesis' operations.
            space = Conv(features, (1, *kernel[1:]), strides, name=f"{name}_space")
            time = Conv(features, (kernel[0], 1, 1), name=f"{name}_time")
            return time(space(x))
        return Conv(features, kernel, strides, name=name)(x)


def shares(channels: int, delta: float) -> tuple[int, int]:
    """Splits channels between local and prolonged branch (eq. 5.1); the latter gets 0 for delta 1.

    Raises:
      ValueError: delta is not in (0, 1], or a branch is left without a channel.

    Examples:
      >>> from vidjax.methods.multi_temporal import shares
      >>> shares(64, 0.75)
      (48, 16)
    """
    check({"delta": delta}, SETTINGS, "MTConv ")
    # A share such as 0.7 is inexact, and 0.7 * 10 must not become 6.
    local = math.floor(delta * channels + 1e-9)
    if not local or (delta < 1 and local == channels):
        raise ValueError(f"MTConv delta = {delta}: one branch gets none of {channels} channels")
    return local, channels - local


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Replaces the convolutions in space and time (table 5.2)."""
    values = option_settings("multi_temporal", value)
    stages = pop_stages("multi_temporal", values, places)
    make = module_factory(
        "multi_temporal", MTConv, values, SETTINGS, NEEDS, more=STAGES, features=0
    )
    return insert_module("multi_temporal", slots, stages, "conv", make)


# Functions and classes that document the settings of an MTConv.
DEFINED_IN = (MTConv, Downsampling, temporal_frame_selection)
OPTIONS = (
    Option(
        "multi_temporal",
        fill,
        "a mapping of settings; {} gives the thesis' values",
        "multi-temporal convolutions in place of the convolutions in space and time",
        {**settings_of(SETTINGS, *DEFINED_IN), **STAGES},
        rank=20,
    ),
)

"""Multi-temporal convolutions (MTConv): short motions in detail beside long ones at half the size.

Stergiou, thesis, section 5.3.1, eq. 5.1 to 5.7. A local branch convolves most channels. A prolonged
branch convolves the others, pooled in space and with half of their frames, and adds what the
local branch has found; it is brought back to full size, and both are put side by side.
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
from vidjax.layers.downsampling import Halving
from vidjax.layers.norm import BatchNorm
from vidjax.layers.resize import trilinear
from vidjax.layers.temporal_frame_selection import temporal_frame_selection
from vidjax.settings import Kind, boolean, check, number, one_of
from vidjax.slots import STAGES, AllSlots, Option, Places, filled, maker, take_stages, values_of

Triple = tuple[int, int, int]
POINT: Triple = (1, 1, 1)
# What of it a network of MTConvs lets users choose, beside how the inputs are halved.
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
# What has an effect only where others are so: all but the kernels are of the prolonged branch.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    name: {**_TWO_BRANCHES, **HALVING_NEEDS.get(name, {})}
    for name in SETTINGS
    if name not in ("delta", "kernels")
}


class MTConv(nn.Module):
    """Convolution, norm and ReLU of two branches (thesis, figure 5.2 and eq. 5.2 to 5.4).

    Attributes:
      features: output channels C; the local branch has floor(delta C) of them, the first.
      kernel_size: along T, H, W.
      strides: along T, H, W.
      delta: share of the local branch, in (0, 1]; 1 leaves the prolonged one out.
      kernels: `dense`; `factorised` into space and time, 1x3x3 and 3x1x1; or `depthwise`.
      pool: as in `Halving`, which halves the inputs of the prolonged branch.
      frames: likewise.
      choose: likewise.
      squared: likewise.
      edge: likewise.
      odd: likewise.
      split_input: each branch sees its share of the input (table 5.6), or both see all (eq. 5.2).
      lateral_from: the prolonged branch gets the local one's `activation` or bare `convolution`.
      share_norm: the prolonged branch's two summands have one norm (released code).
      activate: `each` summand before they are added (eq. 5.3), or the `sum` (released code).
      groups: there are none; what the network says.
      norm: factory of the norms.
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
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`, not negative.

        Raises:
          ValueError: a setting is not allowed, or leaves a branch without channels.
        """
        check(vars(self), SETTINGS, "MTConv ")
        if self.groups != 1:
            raise ValueError(
                f"an MTConv has no groups, and this network's convolutions have {self.groups}: "
                "kernels='depthwise' is there for channel-wise networks"
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
        """The prolonged branch at its own size (eq. 5.3 without the interpolation, eq. 5.4)."""
        halved = Halving(**{name: getattr(self, name) for name in HALVING}, name="halving")
        own = self._conv(halved(x, train=train), features, "prolonged", train=train)
        across = Conv(features, POINT, name="lateral")(halved(lateral, train=train))
        # A strided convolution leaves sizes that differ. Point-wise, it may come before resizing.
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
                    f"a depthwise MTConv keeps its channels: {x.shape[-1]} to {features} in the "
                    f"{name} branch"
                )
            return Conv(features, kernel, strides, groups=features, name=name)(x)
        if self.kernels == "factorised" and kernel[0] > 1 and kernel[1:] != (1, 1):
            # All strides in the first part, time's too: only so are MTNets' operations the thesis'.
            space = Conv(features, (1, *kernel[1:]), strides, name=f"{name}_space")
            time = Conv(features, (kernel[0], 1, 1), name=f"{name}_time")
            return time(space(x))
        return Conv(features, kernel, strides, name=name)(x)


def shares(channels: int, delta: float) -> tuple[int, int]:
    """Channels of the local and the prolonged branch (eq. 5.1), the latter none for delta = 1.

    Raises:
      ValueError: delta is not in (0, 1], or a branch is left without a channel.
    """
    check({"delta": delta}, SETTINGS, "MTConv ")
    # A share such as 0.7 is not exact, and 0.7 * 10 must not become 6.
    local = math.floor(delta * channels + 1e-9)
    if not local or (delta < 1 and local == channels):
        raise ValueError(f"MTConv delta = {delta}: one branch has none of {channels} channels")
    return local, channels - local


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """In the place of the convolutions in space and time (table 5.2)."""
    values = values_of("multi_temporal", value)
    stages = take_stages("multi_temporal", values, places)
    make = maker("multi_temporal", MTConv, values, SETTINGS, NEEDS, more=STAGES, features=0)
    return filled("multi_temporal", slots, stages, "conv", make)


# Where the settings of an MTConv are explained.
DEFINED_IN = (MTConv, Halving, temporal_frame_selection)
OPTIONS = (
    Option(
        "multi_temporal",
        fill,
        "a mapping of settings, {} for the thesis'",
        "multi-temporal convolutions in the place of those in space and time",
        {**settings_of(SETTINGS, *DEFINED_IN), **STAGES},
        rank=20,
    ),
)

"""The residual blocks all residual networks are made of, and their slots.

A block is built from factories (what a convolution, a norm, an activation is) and has slots:
places where a method may put a module of its own. An empty slot costs nothing, and a block never
knows what fills one; the registry does that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm

Triple = tuple[int, int, int]
Make = Callable[..., Any]
PLACEMENTS = ("start", "top", "mid", "end", "res", "final")


@dataclass(frozen=True)
class Slots:
    """What methods put into a block; None leaves a slot empty.

    Each is a factory, called with `name=` inside the block, of a module that maps features to
    features of the same shape.

    Attributes:
      before_norm: `module(x, train=...)` between each convolution of the branch and its norm.
      gate: `module(x, train=...)` at `placement`.
      placement: where the gate is: `start` (block input), `top` (after the first convolution of
        a bottleneck), `mid` (before the last convolution), `end` (branch output), `res`
        (shortcut) or `final` (after the addition and activation); thesis, figure 4.5.
      branch_drop: `module(branch, train=...)` before the addition.
      after_stage: `module(x, train=...)` at the end of a stage.
    """

    before_norm: Make | None = None
    gate: Make | None = None
    placement: str = "final"
    branch_drop: Make | None = None
    after_stage: Make | None = None

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise ValueError(f"placement {self.placement!r}: one of {', '.join(PLACEMENTS)}")


@dataclass(frozen=True)
class Factories:
    """What a block's parts are.

    Attributes:
      conv: `conv(features, kernel_size, strides, name=...)`.
      norm: `norm(name=...)`, applied as `module(x, train=...)`; it takes `scale_init=`.
      act: activation function.
    """

    conv: Make = Conv
    norm: Make = BatchNorm
    act: Callable[[jax.Array], jax.Array] = nn.relu


class _Residual(nn.Module):
    """What the blocks share: convolution with norm, shortcut, slots, addition.

    Attributes:
      features: channels of the output.
      strides: of the block, along T, H, W.
      width: channels inside; None is `features`.
      kernel_size: of the strided (middle) convolution.
      groups: of the strided convolution.
      shortcut: `projection` (B) or `pad` (A), where the shape changes; He et al. 2015.
      zero_init: start with an empty branch.
      factories: the block's parts.
      slots: what methods put in.
    """

    features: int
    strides: Triple = (1, 1, 1)
    width: int | None = None
    kernel_size: Triple = (3, 3, 3)
    groups: int = 1
    shortcut: str = "projection"
    zero_init: bool = False
    factories: Factories = field(default_factory=Factories)
    slots: Slots = field(default_factory=Slots)

    def _conv_norm(
        self, x: jax.Array, features: int, kernel: Triple, place: str, *, train: bool, **kwargs: Any
    ) -> jax.Array:
        """Convolution `conv<place>`, the slot before the norm, norm `norm<place>`."""
        init = {"scale_init": nn.initializers.zeros} if kwargs.pop("zero", False) else {}
        x = self.factories.conv(features, kernel, name=f"conv{place}", **kwargs)(x)
        if self.slots.before_norm is not None:
            x = self.slots.before_norm(name=f"before_norm{place}")(x, train=train)
        return self.factories.norm(name=f"norm{place}", **init)(x, train=train)

    def _gate(self, x: jax.Array, placement: str, *, train: bool) -> jax.Array:
        if self.slots.gate is None or self.slots.placement != placement:
            return x
        return self.slots.gate(name="gate")(x, train=train)

    def _close(self, x: jax.Array, branch: jax.Array, *, train: bool) -> jax.Array:
        """Adds branch and shortcut."""
        branch = self._gate(branch, "end", train=train)
        if self.slots.branch_drop is not None:
            branch = self.slots.branch_drop(name="branch_drop")(branch, train=train)
        short = self._gate(self._short(x, train=train), "res", train=train)
        return self._gate(self.factories.act(short + branch), "final", train=train)

    def _short(self, x: jax.Array, *, train: bool) -> jax.Array:
        if x.shape[-1] == self.features and self.strides == (1, 1, 1):
            return x
        if self.shortcut == "pad":
            time, height, width = self.strides
            x = x[:, ::time, ::height, ::width]
            return jnp.pad(x, [(0, 0)] * 4 + [(0, self.features - x.shape[-1])])
        conv = Conv(self.features, (1, 1, 1), self.strides, dtype=x.dtype, name="shortcut_conv")
        return self.factories.norm(name="shortcut_norm")(conv(x), train=train)


class BasicBlock(_Residual):
    """Two convolutions, the first one strided (He et al. 2015, figure 5 left)."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        if self.slots.gate is not None and self.slots.placement == "top":
            raise ValueError("placement 'top' needs a bottleneck; a basic block has 'mid'")
        act, kernel = self.factories.act, self.kernel_size
        x = self._gate(x, "start", train=train)
        y = self._conv_norm(
            x, self.width or self.features, kernel, "1", train=train, strides=self.strides
        )
        y = self._gate(act(y), "mid", train=train)
        y = self._conv_norm(y, self.features, kernel, "2", train=train, zero=self.zero_init)
        return self._close(x, y, train=train)


class Bottleneck(_Residual):
    """Reduce, convolve (strided), expand (He et al. 2015, figure 5 right)."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        act, width = self.factories.act, self.width or self.features
        x = self._gate(x, "start", train=train)
        y = act(self._conv_norm(x, width, (1, 1, 1), "1", train=train))
        y = self._gate(y, "top", train=train)
        groups = {} if self.groups == 1 else {"groups": self.groups}
        y = self._conv_norm(
            y, width, self.kernel_size, "2", train=train, strides=self.strides, **groups
        )
        y = self._gate(act(y), "mid", train=train)
        y = self._conv_norm(y, self.features, (1, 1, 1), "3", train=train, zero=self.zero_init)
        return self._close(x, y, train=train)

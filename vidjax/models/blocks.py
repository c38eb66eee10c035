"""The residual blocks of all residual networks, and their slots.

A block is built from factories for its convolutions, norms and activations. It has slots, into
which methods may insert their own modules. An empty slot costs nothing, and a block does not know
which method fills it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax

from vidjax.layers.conv import Conv
from vidjax.layers.norm import BatchNorm
from vidjax.models.shortcuts import SHORTCUTS
from vidjax.slots.block import Make, Slots, Triple, check_basic


@dataclass(frozen=True)
class Factories:
    """The layers that a block is built from.

    The last four modules belong to the design of some networks; None leaves them out. Methods use
    the `Slots` instead.

    Attributes:
      conv: `conv(features, kernel_size, strides, name=...)`: the convolutions of a basic block, or
        the middle one of a bottleneck.
      point: the same for the outer convolutions of a bottleneck.
      short: the same for shortcuts; None is `point`.
      norm: `norm(name=...)`, applied as `module(x, train=...)`; it accepts `scale_init=`.
      act: activation function.
      middle_act: activation after the middle convolution of a bottleneck; None is `act`.
      enter: `module(x, train=...)` at the branch's input, without effect on the shortcut (TSM,
        TAM).
      adapt: `module(x, train=...)` after a bottleneck's first activation (TANet).
      excite: `module(x, train=...)` between a bottleneck's middle norm and activation (X3D).
      align: `module(x, train=...)` at the end of the branch (MTNet).
    """

    conv: Make = Conv
    point: Make = Conv
    short: Make | None = None
    norm: Make = BatchNorm
    act: Callable[[jax.Array], jax.Array] = nn.relu
    middle_act: Callable[[jax.Array], jax.Array] | None = None
    enter: Make | None = None
    adapt: Make | None = None
    excite: Make | None = None
    align: Make | None = None


class _Residual(nn.Module):
    """The common parts of blocks: convolutions with norms, shortcut, slots and the addition.

    Attributes:
      features: channels of the output.
      strides: strides of the block along T, H, W.
      width: channels inside the block; None is `features`.
      kernels: kernel sizes of the convolutions, in order; None is the class's default.
      groups: groups of a bottleneck's middle convolution.
      shortcut: what the shortcut does if a block changes the shape.
      last_act: whether to activate the sum.
      zero_init: initialise the last norm's scale to zero, so that the branch starts as zero.
      factories: factories of the layers.
      slots: modules that methods insert.
    """

    features: int
    strides: Triple = (1, 1, 1)
    width: int | None = None
    kernels: tuple[Triple, ...] | None = None
    groups: int = 1
    shortcut: str = "projection"
    last_act: bool = True
    zero_init: bool = False
    factories: Factories = field(default_factory=Factories)
    slots: Slots = field(default_factory=Slots)
    kind = ""

    def _conv_norm(
        self, conv: Make, x: jax.Array, features: int, kernel: Triple, place: str, **kwargs: Any
    ) -> jax.Array:
        """Applies convolution `conv<place>` and norm `norm<place>`, and the slot at its point."""
        train, zero = kwargs.pop("train"), kwargs.pop("zero", False)
        init = {"scale_init": nn.initializers.zeros} if zero else {}
        x = self._before(f"conv{place}", x, train=train)
        module = conv(features, kernel, name=f"conv{place}", **kwargs)
        x = self._before(f"norm{place}", _call(module, x, train), train=train)
        if not getattr(module, "normed", False):
            x = self.factories.norm(name=f"norm{place}", **init)(x, train=train)
        return self._before(f"act{place}", x, train=train)

    @property
    def _conv(self) -> Make:
        """The spatio-temporal convolution: the network's own, or one that a method inserts."""
        if self.slots.conv is None:
            return self.factories.conv
        return functools.partial(self.slots.conv, norm=self.factories.norm)

    def _before(self, point: str, x: jax.Array, *, train: bool) -> jax.Array:
        for suffix, own in self.slots.each():
            if point in getattr(own.points, self.kind):
                x = self._insert(own.before_norm, x, f"before_{point}{suffix}", train=train)
        return x

    def _insert(self, make: Make | None, x: jax.Array, name: str, *, train: bool) -> jax.Array:
        return x if make is None else make(name=name)(x, train=train)

    def _gate(self, x: jax.Array, placement: str, *, train: bool) -> jax.Array:
        for suffix, own in self.slots.each():
            if own.placement == placement:
                x = self._insert(own.gate, x, f"gate{suffix}", train=train)
        return x

    def _close(self, x: jax.Array, branch: jax.Array, *, train: bool) -> jax.Array:
        """Adds branch and shortcut."""
        branch = self._insert(self.factories.align, branch, "align", train=train)
        branch = self._gate(branch, "end", train=train)
        for suffix, own in self.slots.each():
            branch = self._insert(own.branch_drop, branch, f"branch_drop{suffix}", train=train)
        short = self._gate(self._short(x, train=train), "res", train=train)
        total = short + branch
        return self._gate(
            self.factories.act(total) if self.last_act else total, "final", train=train
        )

    def _short(self, x: jax.Array, *, train: bool) -> jax.Array:
        if x.shape[-1] == self.features and self.strides == (1, 1, 1):
            return x
        shortcut = SHORTCUTS[self.shortcut]
        parts = self.factories
        conv = parts.short or parts.point
        module = shortcut(self.features, self.strides, conv, parts.norm, name="shortcut")
        return module(x, train=train)


def _call(conv: nn.Module, x: jax.Array, train: bool) -> jax.Array:
    """Applies a convolution; a composed one has norms inside, so it needs `train`.

    A `normed` convolution also ends in norm and activation.
    """
    return conv(x, train=train) if getattr(conv, "composed", False) else conv(x)


class BasicBlock(_Residual):
    """Two convolutions, of which the first is strided (He et al. 2015, figure 5 left)."""

    kind = "basic"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        check_basic(self.slots)
        conv, width = self._conv, self.width or self.features
        first, second = self.kernels or ((3, 3, 3), (3, 3, 3))
        x = self._gate(x, "start", train=train)
        y = self._insert(self.factories.enter, x, "enter", train=train)
        y = self._conv_norm(conv, y, width, first, "1", train=train, strides=self.strides)
        y = self._gate(self.factories.act(y), "mid", train=train)
        y = self._conv_norm(conv, y, self.features, second, "2", train=train, zero=self.zero_init)
        return self._close(x, y, train=train)


class Bottleneck(_Residual):
    """Reducing, strided and expanding convolutions (He et al. 2015, figure 5 right)."""

    kind = "bottleneck"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to `[B, T', H', W', features]`."""
        parts, width = self.factories, self.width or self.features
        first, second, third = self.kernels or ((1, 1, 1), (3, 3, 3), (1, 1, 1))
        x = self._gate(x, "start", train=train)
        y = self._insert(parts.enter, x, "enter", train=train)
        y = parts.act(self._conv_norm(parts.point, y, width, first, "1", train=train))
        y = self._insert(parts.adapt, y, "adapt", train=train)
        y = self._gate(y, "top", train=train)
        more = {} if self.groups == 1 else {"groups": self.groups}
        y = self._conv_norm(
            self._conv, y, width, second, "2", train=train, strides=self.strides, **more
        )
        y = self._insert(parts.excite, y, "excite", train=train)
        y = self._gate((parts.middle_act or parts.act)(y), "mid", train=train)
        y = self._conv_norm(
            parts.point, y, self.features, third, "3", train=train, zero=self.zero_init
        )
        return self._close(x, y, train=train)


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}

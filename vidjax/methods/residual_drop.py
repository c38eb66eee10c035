"""Drops or shakes residual branches at random: RandomDrop and ShakeDrop.

RandomDrop is stochastic depth (Huang et al., ECCV 2016): training drops a branch with a probability
that grows with its depth, and evaluation scales it by the probability of keeping it. ShakeDrop
(Yamada et al., IEEE Access 2019) scales a dropped branch by alpha, and its gradient by beta, drawn
independently. The RMS paper compares with both (table 2): ShakeDrop has alpha = 0 and beta uniform
in [0, 0.5], drawn for each element.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.docstrings import settings_of
from vidjax.settings import Kind, Setting, check, check_used, number, one_of, rising, shown
from vidjax.slots import AllSlots, Option, Places, insert_module

STREAM = "noise"
LEVELS = ("batch", "clip", "channel", "pixel")


class RandomDrop(nn.Module):
    """Stochastic depth.

    Attributes:
      depth: index of the block in the network, from 1, divided by the number of blocks.
      last: probability of keeping the last block; it grows linearly towards the first block.
      level: whether to draw once for the whole batch or for each clip.
    """

    depth: float
    last: float = 0.5
    level: str = "batch"

    @nn.compact
    def __call__(self, branch: jax.Array, *, train: bool) -> jax.Array:
        """Maps a branch `[B, T, H, W, C]` to the same shape; it draws from the stream `noise`."""
        kept = 1 - self.depth * (1 - self.last)
        if not train:
            return branch * jnp.asarray(kept, branch.dtype)
        shape = level_shape(branch, self.level)
        return branch * jax.random.bernoulli(self.make_rng(STREAM), kept, shape)


class ShakeDrop(nn.Module):
    """ShakeDrop regularisation.

    Attributes:
      depth: index of the block in the network, from 1, divided by the number of blocks.
      last: probability of leaving the last block unchanged; it grows linearly towards the first
        block.
      alpha: range of the factor of a changed branch.
      beta: range of the factor of its gradient.
      level: unit for which alpha and beta are drawn: `batch`, `clip`, `channel` or `pixel` (each
        element).
    """

    depth: float
    last: float = 0.5
    alpha: tuple[float, float] = (0.0, 0.0)
    beta: tuple[float, float] = (0.0, 0.5)
    level: str = "pixel"

    @nn.compact
    def __call__(self, branch: jax.Array, *, train: bool) -> jax.Array:
        """Maps a branch `[B, T, H, W, C]` to the same shape; it draws from the stream `noise`."""
        kept = 1 - self.depth * (1 - self.last)
        if not train:
            expected = kept + (1 - kept) * sum(self.alpha) / 2
            return branch * jnp.asarray(expected, branch.dtype)
        keys = jax.random.split(self.make_rng(STREAM), 3)
        shape = level_shape(branch, self.level)
        left = jax.random.bernoulli(keys[0], kept)
        forward, backward = (
            jnp.where(left, 1, jax.random.uniform(key, shape, minval=low, maxval=high))
            for key, (low, high) in zip(keys[1:], (self.alpha, self.beta), strict=True)
        )
        return _shake(branch, forward.astype(branch.dtype), backward.astype(branch.dtype))


@jax.custom_vjp
def _shake(branch: jax.Array, forward: jax.Array, backward: jax.Array) -> jax.Array:
    """Returns `forward * branch`, with a gradient that is multiplied by `backward` instead."""
    del backward
    return forward * branch


def _shake_fwd(branch: jax.Array, forward: jax.Array, backward: jax.Array) -> Any:
    return forward * branch, (forward, backward)


def _shake_bwd(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> Any:
    forward, backward = saved
    return backward * g, jnp.zeros_like(forward), jnp.zeros_like(backward)


_shake.defvjp(_shake_fwd, _shake_bwd)


def level_shape(branch: jax.Array, level: str) -> tuple[int, ...]:
    """Returns the shape of draws for `[B, T, H, W, C]`.

    Raises:
      ValueError: the level is unknown.
    """
    batch, *_, channels = branch.shape
    shapes = {
        "batch": (1, 1, 1, 1, 1),
        "clip": (batch, 1, 1, 1, 1),
        "channel": (batch, 1, 1, 1, channels),
        "pixel": branch.shape,
    }
    if level not in shapes:
        raise ValueError(f"level = {level!r}: one of {', '.join(LEVELS)}")
    return shapes[level]


DROPS: dict[str, Any] = {"random_drop": RandomDrop, "shake_drop": ShakeDrop}
_RANGE = rising(number(-1000, 1000))
SETTINGS: Mapping[str, Kind] = {
    "last": Kind("a probability in (0, 1]", number(above=0, most=1).accepts),
    "level": one_of(*LEVELS),
    "alpha": _RANGE,
    "beta": _RANGE,
}
_DROPPING = {"last": Kind("a probability below 1", lambda last: last < 1)}
# Settings that need others: if everything is kept, nothing is drawn.
NEEDS: Mapping[str, Mapping[str, Kind]] = dict.fromkeys(("level", "alpha", "beta"), _DROPPING)


def residual_drop(option: Any) -> functools.partial[Any]:
    """Returns the factory of the drop that an option names.

    Args:
      option: `random_drop` or `shake_drop`, or a mapping with that as `name` and the drop's
        settings.

    Raises:
      ValueError: the name, a setting or its value is not allowed.
    """
    settings: dict[str, Any] = dict(option) if isinstance(option, Mapping) else {"name": option}
    name = settings.pop("name", None)
    if not one_of(*DROPS).accepts(name):
        raise ValueError(
            f"residual_drop = {shown(option)}: expected one of {', '.join(DROPS)}, or a mapping "
            "with one of them as 'name'"
        )
    fields = {item.name: item.default for item in dataclasses.fields(DROPS[name])}
    known = SETTINGS.keys() & fields.keys()
    for key in settings:
        if key not in known:
            raise ValueError(
                f"residual_drop: {name} has no setting {key!r}; known: {', '.join(sorted(known))}"
            )
    check(settings, SETTINGS, f"residual_drop: {name} ")
    check_used(settings, {**fields, **settings}, NEEDS, f"residual_drop: {name} ")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
    return functools.partial(DROPS[name], **values)


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts it into all branches."""
    return insert_module("residual_drop", slots, places.stages, "branch_drop", residual_drop(value))


_DROP = f"one of {', '.join(DROPS)}"
_LEVEL = Setting(
    ...,
    SETTINGS["level"].text,
    "unit that is drawn for; if left out, batch for random_drop and pixel for shake_drop",
)
OPTIONS = (
    Option(
        "residual_drop",
        fill,
        f"{_DROP}, or a mapping with one of them as 'name'",
        "drops or shakes residual branches at random in training",
        {
            "name": Setting(..., _DROP, "the kind of drop; it has no default"),
            **settings_of(SETTINGS, ShakeDrop),
            "level": _LEVEL,
        },
        rank=40,
    ),
)

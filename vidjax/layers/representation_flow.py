"""Optical flow inside a network: iterations of TV-L1 that can be differentiated.

Piergiovanni and Ryoo, Representation Flow for Action Recognition, CVPR 2019, section 3, as
AssembleNet computes it from RGB: with fixed parameters, 40 iterations and one scale.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

STEPS = 40
_THETA, _LAMBDA, _TAU = 0.3, 0.15, 0.25
_LEAST = 1e-12
RANGES = ("batch", "clip")


def representation_flow(x: jax.Array, over: str = "batch") -> jax.Array:
    """Computes the flow from each frame to the next; that of the last frame is repeated.

    Args:
      x: clips `[B, T, H, W, C]`, which are averaged over C.
      over: range over which brightness is scaled to [0, 255]: the whole `batch`, as published, so
        that a clip's flow depends on the other clips, or each `clip`.

    Returns:
      Float32 `[B, T, H, W, 2]`: flow along W and along H.
    """
    grey = jnp.mean(x.astype(jnp.float32), axis=-1)
    axes = None if over == "batch" else (1, 2, 3)
    low, high = grey.min(axes, keepdims=True), grey.max(axes, keepdims=True)
    grey = 255 * (grey - low) / jnp.maximum(high - low, _LEAST)
    if grey.shape[1] == 1:
        return jnp.zeros((*grey.shape, 2))
    flow = _tv_l1(grey[:, :-1], grey[:, 1:])
    return jnp.concatenate([flow, flow[:, -1:]], axis=1)


def _tv_l1(first: jax.Array, second: jax.Array) -> jax.Array:
    """Computes the flow between frames `[..., H, W]`."""
    slopes = tuple(_central(second, axis) for axis in (-1, -2))
    steepness = slopes[0] ** 2 + slopes[1] ** 2 + _LEAST
    limit = _LAMBDA * _THETA * steepness

    def step(state: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], None]:
        u1, u2, *duals = state
        rho = second - first + slopes[0] * u1 + slopes[1] * u2 + _LEAST
        size = jnp.where(
            rho < -limit,
            _LAMBDA * _THETA,
            jnp.where(rho > limit, -_LAMBDA * _THETA, -rho / steepness),
        )
        flow = tuple(
            u + size * slope + _THETA * _divergence(duals[2 * k], duals[2 * k + 1])
            for k, (u, slope) in enumerate(zip((u1, u2), slopes, strict=True))
        )
        turned: list[jax.Array] = []
        for k, u in enumerate(flow):
            ahead = (_forward(u, -1), _forward(u, -2))
            length = jnp.sqrt(ahead[0] ** 2 + ahead[1] ** 2 + _LEAST)
            turned += [
                (dual + _TAU / _THETA * own) / (1 + _TAU / _THETA * length)
                for dual, own in zip(duals[2 * k : 2 * k + 2], ahead, strict=True)
            ]
        return (*flow, *turned), None

    start: tuple[jax.Array, ...] = (jnp.zeros_like(first),) * 6
    (u1, u2, *_), _ = jax.lax.scan(step, start, length=STEPS)
    return jnp.stack([u1, u2], axis=-1)


def _padded(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
    pads = [(0, 0)] * x.ndim
    pads[axis] = (before, after)
    return jnp.pad(x, pads)


def _part(x: jax.Array, axis: int, start: int, size: int) -> jax.Array:
    return jax.lax.slice_in_dim(x, start, start + size, axis=axis % x.ndim)


def _central(x: jax.Array, axis: int) -> jax.Array:
    """Returns half the difference of both neighbours; positions beyond the border are 0."""
    size, wide = x.shape[axis], _padded(x, axis, 1, 1)
    return (_part(wide, axis, 2, size) - _part(wide, axis, 0, size)) / 2


def _forward(x: jax.Array, axis: int) -> jax.Array:
    """Returns the difference to the next position; positions beyond the border are 0."""
    size, wide = x.shape[axis], _padded(x, axis, 0, 1)
    return _part(wide, axis, 1, size) - x


def _divergence(along: jax.Array, down: jax.Array) -> jax.Array:
    total = jnp.zeros_like(along)
    for own, axis in ((along, -1), (down, -2)):
        size = own.shape[axis]
        shifted = _padded(_part(own, axis, 0, size - 1), axis, 1, 0)
        total = total + _forward(shifted, axis)
    return total

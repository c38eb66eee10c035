"""Batch normalisation with a choice of the clips that share statistics.

Under `jax.jit` a mean over the batch is a mean over all devices. That is `group_size=None`. A
number normalises consecutive groups of that many clips separately, without communication if each
group lies on one device: sub-batch normalisation or, with a device's share of the batch, per-device
statistics.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def _apply(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> jax.Array:
    return (x.astype(jnp.float32) - mean) * (jax.lax.rsqrt(var + epsilon) * scale) + bias


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalise(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalises groups `[G, ..., C]` by their own statistics: float32 result, mean and variance.

    The closed-form gradient reads the features twice; automatic differentiation reads them more
    often.
    """
    axes = tuple(range(1, x.ndim - 1))
    mean = jnp.mean(x, axes, dtype=jnp.float32, keepdims=True)
    # Centred, because a difference of squares cancels for large means.
    var = jnp.mean(jnp.square(x.astype(jnp.float32) - mean), axes, keepdims=True)
    return _apply(x, mean, var, scale, bias, epsilon), mean, var


def _normalise_fwd(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> Any:
    y, mean, var = _normalise(x, scale, bias, epsilon)
    return (y, mean, var), (x, mean, var, scale)


def _normalise_bwd(epsilon: float, saved: Any, cotangents: Any) -> Any:
    x, mean, var, scale = saved
    g, g_mean, g_var = cotangents
    axes = tuple(range(1, x.ndim - 1))
    count = x.size // (x.shape[0] * x.shape[-1])
    inverse = jax.lax.rsqrt(var + epsilon)
    centred = x.astype(jnp.float32) - mean
    total = jnp.sum(g, axes, keepdims=True)
    moment = jnp.sum(g * centred, axes, keepdims=True)
    factor = scale * inverse
    slope = (2 * g_var - factor * jnp.square(inverse) * moment) / count
    dx = factor * g + centred * slope + (g_mean - factor * total) / count
    channels = x.shape[-1]
    d_scale = jnp.sum((moment * inverse).reshape(-1, channels), 0)
    return dx.astype(x.dtype), d_scale, jnp.sum(total.reshape(-1, channels), 0)


_normalise.defvjp(_normalise_fwd, _normalise_bwd)


class BatchNorm(nn.Module):
    """Normalises channels by the statistics of the batch (Ioffe and Szegedy 2015).

    Running statistics are float32 in the collection `batch_stats`. The running variance is the
    unbiased one, n / (n - 1) times the variance that normalises, as in PyTorch, so that converted
    and trained statistics mean the same. With groups, both running values are averaged over the
    groups.

    Attributes:
      momentum: share of the old running statistics that an update keeps.
      epsilon: added to the variance.
      group_size: clips that share statistics; None is the whole batch.
      dtype: dtype of the output; None is the input's. Statistics are computed in float32.
      scale_init: initialiser of the scale; with zeros a residual branch starts as zero.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    group_size: int | None = None
    dtype: Any = None
    scale_init: Any = nn.initializers.ones

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, momentum: float | None = None) -> jax.Array:
        """Normalises `[B, ..., C]`.

        Args:
          x: the features.
          train: use the batch's statistics, and update the running ones with them.
          momentum: replaces the module's own; 0 stores the statistics of this batch alone.

        Raises:
          ValueError: the batch is not divisible into groups.
        """
        channels = x.shape[-1]
        scale = self.param("scale", self.scale_init, (channels,), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
        mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, (channels,), jnp.float32)
        dtype = self.dtype or x.dtype
        if not train:
            return _apply(x, mean.value, var.value, scale, bias, self.epsilon).astype(dtype)
        grouped = self._group(x)
        y, batch_mean, batch_var = _normalise(grouped, scale, bias, self.epsilon)
        if not self.is_initializing():
            count = grouped.size // (grouped.shape[0] * channels)
            unbiased = batch_var * (count / max(count - 1, 1))
            kept = self.momentum if momentum is None else momentum
            _update(mean, batch_mean, kept)
            _update(var, unbiased, kept)
        return y.reshape(x.shape).astype(dtype)

    def _group(self, x: jax.Array) -> jax.Array:
        size = self.group_size or x.shape[0]
        if x.shape[0] % size:
            raise ValueError(
                f"a batch of {x.shape[0]} clips is not divisible by norm groups of {size}"
            )
        return x.reshape(-1, size, *x.shape[1:])


def _update(running: Any, groups: jax.Array, momentum: float) -> None:
    fresh = jnp.mean(groups.reshape(-1, groups.shape[-1]), axis=0)
    running.value = momentum * running.value + (1 - momentum) * fresh

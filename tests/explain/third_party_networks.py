"""Tiny networks with random weights, in the styles of other projects.

Each is `model, variables, clip`, ready for `saliency_map` and the like. `nnx` modules hold their
variables themselves; their `variables` are None.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

CLASSES = 3
FRAMES, SIZE = 4, 16
Network = tuple[Any, Any, np.ndarray]


def clip_of(seed: int = 0) -> np.ndarray:
    """Returns a normalised clip, float32 `[1, 4, 16, 16, 3]`."""
    return np.random.default_rng(seed).normal(size=(1, FRAMES, SIZE, SIZE, 3)).astype(np.float32)


class C3D(nn.Module):
    """Convolutions, max pooling and three dense layers on the flattened features."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3, 3), name="conv1")(x))
        x = nn.max_pool(x, (1, 2, 2), (1, 2, 2))
        x = nn.relu(nn.Conv(6, (3, 3, 3), name="conv2")(x))
        x = nn.max_pool(x, (2, 2, 2), (2, 2, 2))
        x = x.reshape(len(x), -1)
        for name in ("fc6", "fc7"):
            x = nn.relu(nn.Dense(8, name=name)(x))
            x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(CLASSES, name="fc8")(x)


class ViT(nn.Module):
    """Tokens of 2x4x4 pixels, two attention blocks, and the mean of the tokens."""

    class_token: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(8, (2, 4, 4), (2, 4, 4), name="patches")(x)
        x = x.reshape(len(x), -1, 8)
        if self.class_token:
            token = self.param("token", nn.initializers.normal(1.0), (1, 1, 8))
            x = jnp.concatenate([jnp.tile(token, (len(x), 1, 1)), x], axis=1)
        x = x + self.param("position", nn.initializers.normal(0.5), (1, *x.shape[1:]))
        for block in "12":
            normed = nn.LayerNorm(name=f"norm{block}a")(x)
            x = x + nn.MultiHeadDotProductAttention(2, name=f"attention{block}")(normed)
            normed = nn.LayerNorm(name=f"norm{block}b")(x)
            normed = nn.gelu(nn.Dense(16, name=f"rise{block}")(normed))
            x = x + nn.Dense(8, name=f"fall{block}")(normed)
        x = nn.LayerNorm(name="norm")(x)
        return nn.Dense(CLASSES, name="head")(x[:, 0] if self.class_token else x.mean(axis=1))


class WindowPooled(nn.Module):
    """An average pooling whose window is the whole volume, then a reshape."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3, 3), (1, 2, 2), name="conv1")(x))
        x = nn.relu(nn.Conv(6, (3, 3, 3), (2, 2, 2), name="conv2")(x))
        x = nn.avg_pool(x, x.shape[1:4])
        return nn.Dense(CLASSES, name="head")(x.reshape(len(x), -1))


class ConvolutionalHead(nn.Module):
    """Computes logits at every position and averages them, as the simplest CAM does."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3, 3), (1, 2, 2), name="conv1")(x))
        x = nn.relu(nn.Conv(6, (3, 3, 3), (2, 2, 2), name="conv2")(x))
        return nn.Conv(CLASSES, (1, 1, 1), name="head")(x).mean((1, 2, 3))


class NNX(nnx.Module):
    """Convolutions with batch norm, in `flax.nnx`."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 4, (3, 3, 3), (1, 2, 2), rngs=rngs)
        self.norm1 = nnx.BatchNorm(4, rngs=rngs)
        self.conv2 = nnx.Conv(4, 6, (3, 3, 3), (2, 2, 2), rngs=rngs)
        self.norm2 = nnx.BatchNorm(6, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(6, CLASSES, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm1(self.conv1(x)))
        x = nnx.relu(self.norm2(self.conv2(x)))
        return self.head(self.drop(x.mean((1, 2, 3))))


def plain(weights: Mapping[str, jax.Array], clip: jax.Array) -> jax.Array:
    """Convolutions with channels second, in plain JAX."""
    x = jnp.moveaxis(clip, -1, 1)
    for name, stride in (("conv1", (1, 2, 2)), ("conv2", (2, 2, 2))):
        with jax.named_scope(name):
            x = jax.nn.relu(lax.conv_general_dilated(x, weights[name], stride, "SAME"))
    return x.mean((2, 3, 4)) @ weights["head"]


def _linen(model: nn.Module, **options: Any) -> Network:
    clip = clip_of()
    return model, jax.jit(functools.partial(model.init, **options))(jax.random.key(1), clip), clip


def _nnx() -> Network:
    return NNX(nnx.Rngs(0)), None, clip_of()


def _plain() -> Network:
    rng = np.random.default_rng(2)
    shapes = {"conv1": (4, 3, 3, 3, 3), "conv2": (6, 4, 3, 3, 3), "head": (6, CLASSES)}
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    return plain, weights, clip_of()


OTHERS: Mapping[str, Callable[[], Network]] = {
    "c3d": functools.cache(lambda: _linen(C3D(), train=False)),
    "vit": functools.cache(lambda: _linen(ViT())),
    "window_pooled": functools.cache(lambda: _linen(WindowPooled())),
    "convolutional_head": functools.cache(lambda: _linen(ConvolutionalHead())),
    "nnx": functools.cache(_nnx),
    "plain": functools.cache(_plain),
}

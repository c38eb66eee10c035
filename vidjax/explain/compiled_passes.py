"""Compiled passes of an opened network: logits, features of layers, and gradients there.

Each pass is compiled once per network and choice of features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.explain.compile_options import compiled
from vidjax.explain.layer import Features
from vidjax.explain.traced_network import TracedNetwork

Pass = Callable[..., Any]


@compiled
def logits_pass(network: TracedNetwork) -> Pass:
    """Compiles a function of variables and clips `[N, T, H, W, 3]` to logits `[N, classes]`.

    On an accelerator all clips are one batch, whose size callers bound. On a CPU they are computed
    one after the other, so that memory does not grow with their number.
    """

    def run(variables: Any, clips: jax.Array) -> jax.Array:
        def one(clip: jax.Array) -> jax.Array:
            (found,) = network.evaluate(variables, clip[None], [network.graph.logits])
            return found.reshape(-1).astype(jnp.float32)

        return jax.vmap(one)(clips) if _at_once() else jax.lax.map(one, clips)

    return run


def _at_once() -> bool:
    """Returns whether clips form a batch: it fills accelerators; one clip fits a CPU's caches."""
    return jax.default_backend() != "cpu"


@compiled
def features_pass(network: TracedNetwork, places: tuple[Features, ...]) -> Pass:
    """Compiles a function of variables and clip to logits and features.

    It returns logits `[classes]` and features `[C, T', H', W']` of each place.
    """

    def run(variables: Any, clip: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        wanted = [network.graph.logits, *(own.value for own in places)]
        logits, *features = network.evaluate(variables, clip, wanted)
        return logits.reshape(-1).astype(jnp.float32), _laid(places, features)

    return run


@compiled
def gradients_pass(network: TracedNetwork, places: tuple[Features, ...]) -> Pass:
    """Compiles a function of variables, clip and class to logits, features and gradients.

    It returns the logits `[classes]`, the features `[C, T', H', W']` of each place, and the
    gradients of the class's logit with respect to them, of the same shapes. All are float32. Class
    -1 is the predicted class.
    """
    values = [own.value for own in places]

    def run(variables: Any, clip: jax.Array, index: jax.Array) -> Any:
        logits, *features = network.evaluate(variables, clip, [network.graph.logits, *values])
        chosen = jnp.where(index < 0, jnp.argmax(logits), index)

        def logit(arrays: Sequence[jax.Array]) -> jax.Array:
            known = dict(zip(values, arrays, strict=True))
            (found,) = network.evaluate(variables, clip, [network.graph.logits], known)
            return found.reshape(-1)[chosen].astype(jnp.float32)

        gradients = jax.grad(logit)(features)
        return (
            logits.reshape(-1).astype(jnp.float32),
            _laid(places, features),
            _laid(places, gradients),
        )

    return run


@compiled
def clip_gradient_pass(network: TracedNetwork) -> Pass:
    """Compiles a function of variables, clip and class to a logit and its clip gradient."""

    def run(variables: Any, clip: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
        def logit(clip: jax.Array) -> jax.Array:
            (found,) = network.evaluate(variables, clip, [network.graph.logits])
            return found.reshape(-1)[index].astype(jnp.float32)

        return jax.value_and_grad(logit)(clip)

    return run


def _laid(places: Sequence[Features], arrays: Sequence[jax.Array]) -> list[jax.Array]:
    pairs = zip(places, arrays, strict=True)
    return [own.laid(array.astype(jnp.float32)) for own, array in pairs]

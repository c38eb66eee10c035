"""Features of clips: what a network makes of them before it classifies.

Networks sow what their parts put out: `stem`, a `stage1` for each stage, and `pre_logits`, the
embedding that the classifier gets. SlowFast has those of its fast pathway as well, with `fast_`
before their names. Under `jax.jit` nothing is computed beyond the layer that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.untrusted_names import nearest

EMBEDDING = "pre_logits"


def features(
    model: nn.Module,
    variables: Any,
    clips: jax.Array,
    layer: str = EMBEDDING,
    *,
    pooled: bool = True,
) -> jax.Array:
    """Features of normalised clips at a layer of a network.

    Args:
      model: the network.
      variables: `{"params": ..., "batch_stats": ...}`.
      clips: `[B, T, H, W, 3]`, normalised.
      layer: `pre_logits`, the embedding that the classifier gets; or `stem`, `stage1`, ...
      pooled: average over time and space.

    Returns:
      float32 `[B, C]`; of a stage `[B, T', H', W', C]` where it is not pooled.

    Raises:
      ValueError: the network has no such layer, or the clips have another shape.
    """
    found = _sown(model, variables, clips)
    if layer not in found:
        raise ValueError(f"layer {layer!r} is unknown: {nearest(layer, found)}")
    taken = found[layer].astype(jnp.float32)
    return jnp.mean(taken, axis=tuple(range(1, taken.ndim - 1))) if pooled else taken


def layers(model: nn.Module, variables: Any, clips: Any) -> dict[str, tuple[int, ...]]:
    """Layers that `features` knows, in the order of computation, with their shapes before pooling.

    Nothing is computed.

    Args:
      model: the network.
      variables: arrays, or their shapes as `jax.eval_shape` gives them.
      clips: `[B, T, H, W, 3]`, floating-point; likewise.
    """
    found = jax.eval_shape(lambda *given: _sown(model, *given), variables, clips)
    return {name: found[name].shape for name in sorted(found, key=_place)}


def _sown(model: nn.Module, variables: Any, clips: jax.Array) -> dict[str, jax.Array]:
    """What the network itself sows; what blocks and methods sow inside is theirs."""
    _, state = model.apply(variables, clips, train=False, mutable=["intermediates"])
    sown: Mapping[str, Any] = state["intermediates"]
    return {name: value[0] for name, value in sown.items() if isinstance(value, tuple)}


def _place(name: str) -> tuple[bool, bool, str, bool]:
    """Where a layer stands in the network: the stem first, then the stages, then the embedding."""
    part = name.removeprefix("fast_")
    return name == EMBEDDING, part != "stem", part, part != name

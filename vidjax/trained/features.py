"""Features of clips: the output of a network's layers before the classifier.

Networks sow the outputs of their parts: `stem`, `stage1` and so on, and `pre_logits`, the embedding
that the classifier takes. SlowFast also sows those of its fast pathway, with the prefix `fast_`.
Under `jax.jit`, nothing beyond the requested layer is computed.
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
    """Computes the features of normalised clips at a layer of a network.

    Args:
      model: the network.
      variables: `{"params": ..., "batch_stats": ...}`.
      clips: `[B, T, H, W, 3]`, normalised.
      layer: `pre_logits`, the embedding that the classifier takes; or `stem`, `stage1`, ...
      pooled: whether to average over time and space.

    Returns:
      float32 `[B, C]`; for a stage without pooling, `[B, T', H', W', C]`.

    Raises:
      ValueError: the network has no such layer, or the clips have the wrong shape.

    Examples:
      >>> import jax, jax.numpy as jnp, vidjax
      >>> model = vidjax.create_model("r3d_18", num_classes=5, width=4, depths=(1, 1, 0, 0))
      >>> clips = jnp.zeros((1, 4, 32, 32, 3))
      >>> variables = jax.jit(lambda: model.init(jax.random.key(0), clips, train=False))()
      >>> vidjax.features(model, variables, clips).shape
      (1, 8)
      >>> vidjax.features(model, variables, clips, "stage1", pooled=False).shape
      (1, 2, 8, 8, 4)
    """
    found = _sown(model, variables, clips)
    if layer not in found:
        raise ValueError(f"layer {layer!r} is unknown: {nearest(layer, found)}")
    taken = found[layer].astype(jnp.float32)
    return jnp.mean(taken, axis=tuple(range(1, taken.ndim - 1))) if pooled else taken


def layers(model: nn.Module, variables: Any, clips: Any) -> dict[str, tuple[int, ...]]:
    """Lists the layers that `features` knows, in order of computation, with unpooled shapes.

    Nothing is computed.

    Args:
      model: the network.
      variables: arrays, or their shapes as returned by `jax.eval_shape`.
      clips: `[B, T, H, W, 3]`, floating-point; arrays or shapes.

    Examples:
      >>> import jax, jax.numpy as jnp, vidjax
      >>> from vidjax.trained.features import layers
      >>> model = vidjax.create_model("r3d_18", num_classes=5, width=4, depths=(1, 1, 0, 0))
      >>> clips = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
      >>> init = lambda clips: model.init(jax.random.key(0), clips, train=False)
      >>> layers(model, jax.eval_shape(init, clips), clips)["stage2"]
      (1, 1, 4, 4, 8)
    """
    found = jax.eval_shape(lambda *given: _sown(model, *given), variables, clips)
    return {name: found[name].shape for name in sorted(found, key=_place)}


def _sown(model: nn.Module, variables: Any, clips: jax.Array) -> dict[str, jax.Array]:
    """Returns the values that the network itself sows, without those of its blocks and methods."""
    _, state = model.apply(variables, clips, train=False, mutable=["intermediates"])
    sown: Mapping[str, Any] = state["intermediates"]
    return {name: value[0] for name, value in sown.items() if isinstance(value, tuple)}


def _place(name: str) -> tuple[bool, bool, str, bool]:
    """Returns the sort key of a layer: the stem first, then the stages, then the embedding."""
    part = name.removeprefix("fast_")
    return name == EMBEDDING, part != "stem", part, part != name

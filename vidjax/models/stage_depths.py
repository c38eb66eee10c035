"""The depth of each module of a network: the stage that it belongs to.

A network sows the output of its stem and of each stage (`vidjax.models.interface`). Modules that
run before the stem's output have depth 0, those before the output of stage 1 have depth 1, and so
on. Modules after the last stage, such as the classifier, are the deepest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

_SOWN = re.compile("stem|stage[0-9]+")


def stage_depths(model: nn.Module, clip_shape: tuple[int, ...]) -> Mapping[str, int]:
    """Traces a network and records in which stage each module first runs; computes nothing.

    Args:
      model: a network.
      clip_shape: `(B, T, H, W, 3)`.

    Returns:
      The depth of each module that the network calls directly, by name.

    Raises:
      ValueError: the network sows no stages, or has parameters of modules that never run.
    """
    depths: dict[str, int] = {}

    def note(run: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        path, owner = context.module.path, context.module.parent
        # A loop over blocks applies them outside of the network, with equally short paths.
        if len(path) == 1 and isinstance(owner, type(model)):
            depths.setdefault(path[0], _sown(owner))
        return run(*args, **kwargs)

    def run(variables: Any, clip: jax.Array) -> Any:
        with nn.intercept_methods(note):
            sown = model.apply(variables, clip, train=False, mutable=["intermediates"])[1]
        return sown.get("intermediates", {})

    clip = jax.ShapeDtypeStruct(clip_shape, jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
    sown = jax.eval_shape(run, variables, clip)
    if not any(name != "stem" and _SOWN.fullmatch(name) for name in sown):
        raise ValueError("the network sows no stages, so the depth of its modules is unknown")
    if unknown := sorted(set(variables["params"]) - set(depths)):
        raise ValueError(f"the network has parameters of {unknown[0]!r}, which it does not call")
    return depths


def _sown(network: Any) -> int:
    """Returns how many outputs of its stem and stages a network has sown so far."""
    sown = network.variables.get("intermediates", {})
    return sum(_SOWN.fullmatch(name) is not None for name in sown)

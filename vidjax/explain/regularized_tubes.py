"""Tubes at every stage of a network with Class Regularization.

Stergiou, thesis, section 6.3.3; ICIP 2020, section 3.3: where the classifier's rows are mapped to
the channels of a stage, its features are weighted by the mapped row of a class instead of the
classifier's own.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.given import as_class, as_clip
from vidjax.explain.saliency_tubes import SaliencyTube, check_mode, tube_of
from vidjax.explain.traced import trace_network
from vidjax.methods.class_regularization import ClassRegularization


def stage_tubes(
    model: nn.Module,
    variables: Any,
    clip: Any,
    class_index: int | None = None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> dict[str, SaliencyTube]:
    """Tubes by the module path of each Class Regularization, in the order of the network.

    Args:
      model: a network with `class_reg`.
      variables: of the model.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised.
      class_index: which class; None is the predicted one.
      mode: as in `saliency_tube`.
      tau: likewise.

    Returns:
      Nothing for a network without it.

    Raises:
      ValueError: there is no such class or mode.
    """
    check_mode(mode, tau)
    clip = as_clip(clip)
    count = trace_network(model, variables, clip).anatomy.logits.shape[-1]
    class_index = as_class(class_index, count)
    places: list[str] = []

    @jax.jit
    def run(variables: Any, clip: jax.Array) -> Any:
        features, rows = [], []

        def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            result, module = call(*args, **kwargs), context.module
            if isinstance(module, ClassRegularization) and context.method_name == "__call__":
                places.append("/".join(module.path))
                features.append(args[0].astype(jnp.float32))
            elif isinstance(module.parent, ClassRegularization):
                rows.append(nn.relu(result) if module.parent.relu else result)
            return result

        with nn.intercept_methods(intercept):
            logits = model.apply(variables, clip, train=False)
        return logits, list(zip(features, rows, strict=True))

    logits, found = jax.tree.map(np.asarray, run(variables, clip))
    index = int(logits.argmax()) if class_index is None else class_index
    return {
        place: tube_of(
            [np.moveaxis(features[0], -1, 0)],
            [rows[index]],
            clip.shape[1:4],
            index,
            mode=mode,
            tau=tau,
        )
        for place, (features, rows) in zip(places, found, strict=True)
    }


def name_of(place: str) -> str:
    """A short name for a module path of `stage_tubes`, another for each.

    `layer1/after_stage` is `layer1`, `layer1/after_block2` is `layer1 block2`.
    """
    parts = (part.removeprefix("after_") for part in place.split("/"))
    return " ".join(part for part in parts if part != "stage")

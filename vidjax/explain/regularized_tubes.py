"""Tubes at every stage of a network with Class Regularization.

Stergiou, thesis, section 6.3.3; ICIP 2020, section 3.3: where the classifier's rows are mapped to
the channels of a stage, its features are weighted by the mapped row of a class instead of the
classifier's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.given import Class
from vidjax.explain.opened import each_clip, open_network
from vidjax.explain.saliency_tubes import SaliencyTube, check_mode, tube_of
from vidjax.methods.class_regularization import ClassRegularization


@each_clip
def stage_tubes(
    model: nn.Module,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
    classes: Sequence[str] | None = None,
) -> dict[str, SaliencyTube]:
    """Tubes by the module path of each Class Regularization, in the order of the network.

    Args:
      model: a network with `class_reg`.
      variables: of the model.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised; a batch `[B, T, H, W, 3]` or a list of
        clips gives a list of results.
      class_index: which class, an integer of any kind or one of `classes`; None is the predicted
        one. Of a batch, one for all or one for each.
      mode: as in `saliency_tube`.
      tau: likewise.
      classes: names of all classes.

    Returns:
      Nothing for a network without it.

    Raises:
      ValueError: there is no such class or mode.
    """
    check_mode(mode, tau)
    opened = open_network(model, variables, clip, class_index, classes=classes)
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

    logits, found = jax.tree.map(np.asarray, run(opened.variables, opened.clip))
    index = opened.chosen(logits)
    return {
        place: tube_of(
            [np.moveaxis(features[0], -1, 0)],
            [rows[index]],
            opened.size,
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

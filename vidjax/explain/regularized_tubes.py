"""Saliency Tubes at every stage of a network with Class Regularization.

Source: Stergiou, thesis, section 6.3.3; ICIP 2020, section 3.3. Class Regularization maps the
classifier's rows to the channels of a stage. The stage's tube weights its features by the mapped
row of a class instead of the classifier's own row.

Stages with Class Regularization are found in the network's program, whoever wrote the network. The
pattern is a product of the classifier's weights with other weights, followed by the selection of
one row that scales features.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.input_checks import Class
from vidjax.explain.layer import channels_first, in_space_and_time
from vidjax.explain.open_network import each_clip, open_network
from vidjax.explain.saliency_tubes import SaliencyTube, check_mode, tube_of
from vidjax.explain.traced_network import Model, TracedNetwork
from vidjax.program import Operation, Value


@dataclass(frozen=True)
class Regularized:
    """A location in a network where Class Regularization scales features.

    Attributes:
      name: path of the module, such as `layer3/after_stage`.
      features: the features that are scaled, `[1, T', H', W', C]`.
      rows: the classes' mapped rows for these channels, `[classes, C]`.
    """

    name: str
    features: Value
    rows: Value


@each_clip
def stage_tubes(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
) -> dict[str, SaliencyTube]:
    """Computes a tube for each Class Regularization of a network.

    Args:
      model: a network with `class_reg`.
      variables: the model's variables.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`. A batch `[B, T, H, W, 3]` or a
        list of clips returns a list of results.
      class_index: the class to explain, an integer of any kind or one of `classes`. None explains
        the predicted class. For a batch, give one class for all clips or one per clip.
      mode: as in `saliency_tube`.
      tau: as in `saliency_tube`.
      classes: names of all classes.
      output: which output holds the logits, as in `vidjax.explain.open_network`.
      clip_input: which input is explained, as in `vidjax.explain.open_network`.

    Returns:
      Tubes by module path, in the order of the network. Empty for a network without Class
        Regularization.

    Raises:
      ValueError: the class or the mode does not exist.
    """
    check_mode(mode, tau)
    opened = open_network(
        model, variables, clip, class_index, classes=classes, output=output, clip_input=clip_input
    )
    places = regularized_places(opened.network)
    logits, found = regularized_pass(opened.network)(opened.variables, opened.clip)
    index = opened.chosen(logits)
    return {
        place.name: tube_of([features], [rows[index]], opened.size, index, mode=mode, tau=tau)
        for place, (features, rows) in zip(places, jax.tree.map(np.asarray, found), strict=True)
    }


@functools.lru_cache(maxsize=16)
def regularized_places(network: TracedNetwork) -> tuple[Regularized, ...]:
    """Returns where a network has Class Regularization, in the order of the network."""
    program, classifier = network.graph.program, network.graph.classifier
    moving = program.depending_on([network.clip])
    top = classifier.operation.layer.removesuffix(classifier.name)

    def places() -> Iterator[Regularized]:
        mapped = program.depending_on(_variables_of(network, classifier.kernel)) - moving
        for product in program.operations:
            if product.primitive == "dot_general" and product.outputs[0] in mapped:
                own = program.depending_on(product.outputs)
                rows = (
                    step.inputs[0]
                    for step in program.operations
                    if step.primitive == "gather" and step.inputs[0] in own - moving
                )
                name = product.layer.removeprefix(top).rpartition("/")[0]
                yield Regularized(name, _scaled(program.operations, own, moving), next(rows))

    return tuple(places())


@functools.lru_cache(maxsize=16)
def regularized_pass(network: TracedNetwork) -> Any:
    """Compiles a function of variables and clip that returns the logits and the scaled features.

    For each location it returns the features `[C, T', H', W']` and the rows `[classes, C]`,
    float32.
    """
    places = regularized_places(network)
    wanted = [value for place in places for value in (place.features, place.rows)]

    @jax.jit
    def run(variables: Any, clip: jax.Array) -> Any:
        logits, *found = network.evaluate(variables, clip, [network.graph.logits, *wanted])
        arrays = [array.astype(jnp.float32) for array in found]
        laid = [in_space_and_time(channels_first(own, (own.ndim - 1,))) for own in arrays[::2]]
        return logits, list(zip(laid, arrays[1::2], strict=True))

    return run


def _variables_of(network: TracedNetwork, value: Value) -> set[Value]:
    """Returns the variables that a value is computed from."""
    found, waiting = set(), [value]
    while waiting:
        value = waiting.pop()
        if value in network.weights:
            found.add(value)
        elif value in network.graph.program.makers:
            waiting += network.graph.program.makers[value].inputs
    return found


def _scaled(operations: tuple[Operation, ...], own: set[Value], moving: set[Value]) -> Value:
    """Returns the features that the first multiplication with a value of `own` scales."""
    return next(
        value
        for step in operations
        if step.primitive == "mul" and len(step.outputs[0].shape) == 5 and own & {*step.inputs}
        for value in step.inputs
        if value not in own and value in moving
    )


def name_of(place: str) -> str:
    """Returns a short, unique name for a module path of `stage_tubes`.

    `layer1/after_stage` is `layer1`, `layer1/after_block2` is `layer1 block2`.
    """
    parts = (part.removeprefix("after_") for part in place.split("/"))
    return " ".join(part for part in parts if part != "stage")

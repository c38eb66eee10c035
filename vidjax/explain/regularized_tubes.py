"""Tubes at every stage of a network with Class Regularization.

Stergiou, thesis, section 6.3.3; ICIP 2020, section 3.3: where the classifier's rows are mapped to
the channels of a stage, its features are weighted by the mapped row of a class instead of the
classifier's own.

Where that is done is read off the network's program, whoever wrote it: a product of the
classifier's weights with others, of whose result a row is picked that scales features.
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
    """A place of a network where the classifier's rows scale features.

    Attributes:
      name: path of the module, such as `layer3/after_stage`.
      features: that are scaled, `[1, T', H', W', C]`.
      rows: of the classes for these channels, `[classes, C]`.
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
      output: which of several outputs the logits are, as in
      `vidjax.explain.open_network.open_network`.
      clip_input: which of several inputs is explained, likewise.

    Returns:
      Nothing for a network without it.

    Raises:
      ValueError: there is no such class or mode.
    """
    check_mode(mode, tau)
    opened = open_network(
        model,
        variables,
        clip,
        class_index,
        classes=classes,
        output=output,
        clip_input=clip_input,
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
    """The places of a network with Class Regularization, in its order; others have none."""
    program, classifier = network.anatomy.program, network.anatomy.classifier
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
    """Compiled: of variables and clip, to the logits and what each place has.

    That is its features `[C, T', H', W']` and its rows `[classes, C]`, in float32.
    """
    places = regularized_places(network)
    wanted = [value for place in places for value in (place.features, place.rows)]

    @jax.jit
    def run(variables: Any, clip: jax.Array) -> Any:
        logits, *found = network.evaluate(variables, clip, [network.anatomy.logits, *wanted])
        arrays = [array.astype(jnp.float32) for array in found]
        laid = [in_space_and_time(channels_first(own, (own.ndim - 1,))) for own in arrays[::2]]
        return logits, list(zip(laid, arrays[1::2], strict=True))

    return run


def _variables_of(network: TracedNetwork, value: Value) -> set[Value]:
    """The variables that a value is made of."""
    found, waiting = set(), [value]
    while waiting:
        value = waiting.pop()
        if value in network.weights:
            found.add(value)
        elif value in network.anatomy.program.makers:
            waiting += network.anatomy.program.makers[value].inputs
    return found


def _scaled(operations: tuple[Operation, ...], own: set[Value], moving: set[Value]) -> Value:
    """What the first multiplication by values that depend on a product scales."""
    return next(
        value
        for step in operations
        if step.primitive == "mul" and len(step.outputs[0].shape) == 5 and own & {*step.inputs}
        for value in step.inputs
        if value not in own and value in moving
    )


def name_of(place: str) -> str:
    """A short name for a module path of `stage_tubes`, another for each.

    `layer1/after_stage` is `layer1`, `layer1/after_block2` is `layer1 block2`.
    """
    parts = (part.removeprefix("after_") for part in place.split("/"))
    return " ".join(part for part in parts if part != "stage")

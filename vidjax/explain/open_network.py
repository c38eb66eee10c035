"""Opens any supported model for explanation; all maps and pyramids use this one entry point.

A model is a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`. It may have
several inputs and several outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.input_checks import Class, as_batch, as_class, as_classes, as_clip
from vidjax.explain.model_adapter import Call, WithInputs, plain_model
from vidjax.explain.traced_network import Model, TracedNetwork, trace_call

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class OpenedNetwork:
    """A network together with the clip and the class to explain.

    Attributes:
      network: the network, read from its program.
      variables: variables as the network takes them.
      clip: `[1, T, H, W, 3]`.
      class_index: the class; None is the predicted class.
    """

    network: TracedNetwork
    variables: Any
    clip: jax.Array
    class_index: int | None

    @property
    def size(self) -> tuple[int, int, int]:
        """T, H, W of the clip."""
        _, frames, height, width, _ = self.clip.shape
        return frames, height, width

    def chosen(self, logits: Any) -> int:
        """Returns the class to explain, given the logits of the clip.

        Raises:
          ValueError: the logits are not finite; names variables that are not finite, if there are
            any.
        """
        if not np.isfinite(np.asarray(logits, np.float32)).all():
            raise ValueError(f"the logits are not finite (NaN or infinity): {self._cause()}")
        return int(np.argmax(logits)) if self.class_index is None else self.class_index

    def _cause(self) -> str:
        leaves = jax.tree_util.tree_leaves_with_path(self.variables)
        for path, leaf in leaves:
            if jnp.issubdtype(leaf.dtype, jnp.inexact) and not jnp.isfinite(leaf).all():
                return f"variables{jax.tree_util.keystr(path)} are not finite either"
        return "this clip makes the network exceed the range of its dtype"


def open_network(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    *,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
) -> OpenedNetwork:
    """Opens a network for one clip.

    Args:
      model: a module of `flax.linen`, which gets `train=False` if it accepts that; a module of
        `flax.nnx`, which runs in evaluation mode; or a function of `(variables, clip)`. A network
        that was opened before is not read again.
      variables: the model's variables; None for a module of `flax.nnx`.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`. For a network with several
        inputs, such as the two frame rates of a SlowFast network, pass a tuple of clips.
      class_index: the class to explain, an integer of any kind or one of `classes`; None is the
        predicted class.
      classes: names of all classes.
      output: which output holds the logits, if the model returns a tuple, a mapping or a dataclass.
        None takes the only output of shape `[1, classes]`.
      clip_input: index of the input to explain, if there are several. Maps have its T, H and W, and
        only this input is differentiated or blanked. The other inputs stay as they are; the layers
        that read them belong to the network like all others.

    Raises:
      ValueError: an argument is not valid; the message names it.
      UnknownPrimitiveError: the network has a JAX primitive that vidjax cannot trace.
    """
    if isinstance(model, TracedNetwork):
        return _again(model, variables, clip, class_index)
    model, variables = plain_model(model, variables)
    place = None
    if isinstance(clip, tuple):
        if not isinstance(clip_input, int) or not 0 <= clip_input < len(clip):
            raise ValueError(
                f"clip_input = {clip_input!r}: clip has {len(clip)} inputs, counted from 0"
            )
        place, inputs = clip_input, [as_clip(own) for own in clip]
        clip = inputs.pop(place)
        variables = WithInputs(variables, tuple(inputs))
    elif clip_input != 0:
        raise ValueError(f"clip_input = {clip_input!r} has no effect on a network with one input")
    clip = as_clip(clip)
    network = trace_call(Call(model, output, place), variables, clip)
    index = as_class(class_index, network.graph.logits.shape[-1], classes)
    return OpenedNetwork(network, variables, clip, index)


def _again(network: TracedNetwork, variables: Any, clip: Any, class_index: Class) -> OpenedNetwork:
    clip = as_clip(clip)
    return OpenedNetwork(
        network, variables, clip, as_class(class_index, network.graph.logits.shape[-1])
    )


def each_clip(explain: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorates a function of `(model, variables, clip, class_index, ...)` to accept batches.

    For an array `[B, T, H, W, 3]` or a list of clips, the function returns a list with one result
    per clip. `class_index` may then be a list with one class per clip.
    """
    function = cast("Callable[..., Any]", explain)

    @functools.wraps(explain)
    def explaining(
        model: Any, variables: Any, clip: Any, class_index: Any = None, *rest: Any, **settings: Any
    ) -> Any:
        clips = as_batch(clip)
        if clips is None:
            return function(model, variables, clip, class_index, *rest, **settings)
        chosen = as_classes(class_index, len(clips))
        return [
            function(model, variables, own, index, *rest, **settings)
            for own, index in zip(clips, chosen, strict=True)
        ]

    return cast("Callable[Arguments, Result]", explaining)

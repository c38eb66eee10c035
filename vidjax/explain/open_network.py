"""Whatever is given to be explained, opened: one place for all maps and pyramids.

Models are modules of `flax.linen` or `flax.nnx`, or functions of `(variables, clip)`. They may take
several inputs and give several outputs.
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
class Opened:
    """A network, and the clip and class that are asked about.

    Attributes:
      network: read from its program.
      variables: as the network takes them.
      clip: `[1, T, H, W, 3]`.
      class_index: the class; None is the predicted one.
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
        """The class, given the logits of the clip.

        Raises:
          ValueError: they are not finite; names the variables that are not, if any.
        """
        if not np.isfinite(np.asarray(logits, np.float32)).all():
            raise ValueError(f"the logits are not finite (NaN or infinity): {self._cause()}")
        return int(np.argmax(logits)) if self.class_index is None else self.class_index

    def _cause(self) -> str:
        leaves = jax.tree_util.tree_leaves_with_path(self.variables)
        for path, leaf in leaves:
            if jnp.issubdtype(leaf.dtype, jnp.inexact) and not jnp.isfinite(leaf).all():
                return f"neither are the variables{jax.tree_util.keystr(path)}"
        return "the network exceeds the range of its numbers with this clip"


def open_network(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    *,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
) -> Opened:
    """Opens a network for one clip.

    Args:
      model: a module of `flax.linen`, which is told `train=False` if it takes that; one of
        `flax.nnx`, which is explained in evaluation; or a function of `(variables, clip)`. A
        network that was opened before is not read again.
      variables: of the model; None for a module of `flax.nnx`.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised. A tuple of these is what a network of
        several inputs takes, such as the two rates of a SlowFast network.
      class_index: an integer of any kind, or one of `classes`; None is the predicted class.
      classes: names of all classes.
      output: where the model gives a tuple, a mapping or a dataclass, which of them are the logits;
        None is the only one that is `[1, classes]`.
      clip_input: of several inputs, the one that is explained: maps have its T, H and W, and
        gradients and blanking concern it alone. The others stay as they are; the layers that read
        them are a part of the network like all.

    Raises:
      ValueError: names an argument that is not of its kind.
      UnknownPrimitiveError: a primitive of the network is not known.
    """
    if isinstance(model, TracedNetwork):
        return _again(model, variables, clip, class_index)
    model, variables = plain_model(model, variables)
    place = None
    if isinstance(clip, tuple):
        if not isinstance(clip_input, int) or not 0 <= clip_input < len(clip):
            raise ValueError(
                f"clip_input = {clip_input!r}: the network is given {len(clip)} inputs"
            )
        place, inputs = clip_input, [as_clip(own) for own in clip]
        clip = inputs.pop(place)
        variables = WithInputs(variables, tuple(inputs))
    elif clip_input != 0:
        raise ValueError(f"clip_input = {clip_input!r} has no effect on a network of one input")
    clip = as_clip(clip)
    network = trace_call(Call(model, output, place), variables, clip)
    index = as_class(class_index, network.anatomy.logits.shape[-1], classes)
    return Opened(network, variables, clip, index)


def _again(network: TracedNetwork, variables: Any, clip: Any, class_index: Class) -> Opened:
    clip = as_clip(clip)
    return Opened(network, variables, clip, as_class(class_index, network.anatomy.logits.shape[-1]))


def each_clip(explain: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Lets a function of `(model, variables, clip, class_index, ...)` take batches of clips.

    For an array `[B, T, H, W, 3]`, or a list of clips, it gives a list of results, one for each;
    `class_index` may then be a class for each.
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

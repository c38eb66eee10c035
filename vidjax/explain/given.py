"""What is given to be explained, checked: the clip, the class and the settings."""

from __future__ import annotations

import operator
from typing import Any

import jax.numpy as jnp
import numpy as np

from vidjax.settings import shown


def as_clip(clip: Any) -> Any:
    """One clip as `[1, T, H, W, 3]`.

    Raises:
      ValueError: it is none, there are several, or its numbers are whole or not finite.
    """
    try:
        clip = jnp.asarray(clip)
    except (TypeError, ValueError):
        raise ValueError(f"clip = {shown(clip)}: an array [T, H, W, 3] is expected") from None
    clip = clip[None] if clip.ndim == 4 else clip
    if clip.ndim != 5 or len(clip) != 1 or not clip.size:
        raise ValueError(f"one clip at a time, [T, H, W, 3] or [1, T, H, W, 3]: got {clip.shape}")
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        raise ValueError(f"clip is {clip.dtype}: normalise it first, to floating-point numbers")
    if not np.isfinite(np.asarray(clip, np.float32)).all():
        raise ValueError("clip has numbers that are not finite (NaN or infinity)")
    return clip


def as_class(class_index: Any, count: int) -> int | None:
    """A class as a number that Python knows: integers of NumPy and JAX are taken too.

    Args:
      class_index: the class; None is the predicted one.
      count: of classes.

    Raises:
      ValueError: names what is no such class, and those there are.
    """
    if class_index is None:
        return None
    try:
        index = -1 if isinstance(class_index, (bool, np.bool_)) else operator.index(class_index)
    except TypeError:
        index = -1
    if not 0 <= index < count:
        raise ValueError(
            f"class_index = {shown(class_index)}: must be one whole number from 0 to {count - 1}"
        )
    return index


def check_model(model: Any) -> None:
    """Refuses what is neither a Flax module of linen nor a function.

    Raises:
      ValueError: says what it is.
    """
    kinds = {kind.__module__ for kind in type(model).__mro__}
    if any(kind.startswith("flax.nnx") for kind in kinds) and not isinstance(model, type):
        raise ValueError(
            f"model is a module of flax.nnx ({type(model).__name__}): graph, variables = "
            "nnx.split(model), and give lambda variables, clip: nnx.merge(graph, variables)(clip)"
        )
    if isinstance(model, type) or not (hasattr(model, "apply") or callable(model)):
        raise ValueError(
            f"model = {shown(model)}: a module of flax.linen, or a function of (variables, clip)"
        )


def check_logits(logits: Any) -> None:
    """Refuses what a model gives, if that is not the logits of one clip.

    Raises:
      ValueError: says what it gives.
    """
    if isinstance(logits, (tuple, list, dict)):
        raise ValueError(
            f"the model gives a {type(logits).__name__} of {len(logits)}, not logits alone: wrap "
            "it in a function of (variables, clip) that returns the logits"
        )
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != 1 or not shape[1]:
        what = shown(logits) if shape is None else list(shape)
        raise ValueError(f"the model gives {what}; logits [1, classes] are expected")

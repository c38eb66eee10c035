"""Checks the clips and classes that a caller passes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from vidjax.settings import shown
from vidjax.untrusted_names import nearest

# A class: a whole number of any kind, an array of one such number, or a name.
Class = Any


def as_clip(clip: Any) -> Any:
    """Returns one clip as `[1, T, H, W, 3]`.

    Raises:
      ValueError: it is not a clip, there are several, or its numbers are integers or not finite.
    """
    try:
        clip = jnp.asarray(clip)
    except (TypeError, ValueError):
        raise ValueError(f"clip = {shown(clip)}: an array [T, H, W, 3] is expected") from None
    clip = clip[None] if clip.ndim == 4 else clip
    if clip.ndim != 5 or len(clip) != 1 or not clip.size:
        raise ValueError(f"clip has shape {clip.shape}: pass [T, H, W, 3] or [1, T, H, W, 3]")
    if clip.shape[1] == 3 and clip.shape[-1] > 4:
        raise ValueError(
            f"clip {clip.shape} has its channels before its frames: pass np.moveaxis(clip, -4, -1)"
        )
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        raise ValueError(f"clip is {clip.dtype}: normalise it first, to floating-point numbers")
    if not np.isfinite(np.asarray(clip, np.float32)).all():
        raise ValueError("clip contains numbers that are not finite (NaN or infinity)")
    return clip


def as_batch(clip: Any) -> list[Any] | None:
    """Returns the clips of a batch; None for a single clip.

    Args:
      clip: an array `[B, T, H, W, 3]` or a list of clips is a batch. A tuple holds the inputs of a
        network with several inputs; it is a batch if each input is one.

    Raises:
      ValueError: the inputs of a tuple are batches of different sizes.
    """
    if isinstance(clip, tuple):
        sizes = {len(own) if _rank(own) == 5 else 1 for own in clip}
        if sizes == {1} or not sizes:
            return None
        if len(sizes) > 1:
            raise ValueError(
                f"the inputs have {sorted(sizes)} clips: pass the same number for each input"
            )
        return list(zip(*clip, strict=True))
    if isinstance(clip, list) and clip and all(_rank(own) >= 4 for own in clip):
        return list(clip)
    return list(clip) if _rank(clip) == 5 and len(clip) > 1 else None


def _rank(clip: Any) -> int:
    return int(getattr(clip, "ndim", 0))


def as_classes(class_index: Class, count: int) -> list[Class]:
    """Returns the class of each clip of a batch.

    Raises:
      ValueError: there is neither one class for all clips nor one per clip.
    """
    several = isinstance(class_index, (list, tuple)) or getattr(class_index, "ndim", 0) == 1
    if not several:
        return [class_index] * count
    if len(class_index) != count:
        raise ValueError(
            f"class_index = {shown(class_index)}: pass one class, or one for each of the "
            f"{count} clips"
        )
    return list(class_index)


def as_class(class_index: Class, count: int, classes: Sequence[str] | None = None) -> int | None:
    """Returns a class as a Python integer.

    Args:
      class_index: an integer of Python, NumPy or JAX, an array of one integer, or a name; None is
        the predicted class.
      count: number of classes.
      classes: names of the classes, if they are known.

    Raises:
      ValueError: the class does not exist; the message says which classes there are.
    """
    if classes is not None and len(classes) != count:
        raise ValueError(f"classes has {len(classes)} names; the network has {count} classes")
    if class_index is None:
        return None
    if isinstance(class_index, str) and classes is not None:
        if class_index not in classes:
            hint = nearest(class_index, map(str, classes))
            raise ValueError(f"class_index = {shown(class_index)} is unknown: {hint}")
        return list(classes).index(class_index)
    one = class_index
    if getattr(one, "ndim", 0) == 1 and len(one) == 1:
        one = one[0]
    try:
        index = -1 if isinstance(one, (bool, np.bool_)) else operator.index(one)
    except TypeError:
        index = -1
    if not 0 <= index < count:
        named = "; a name needs classes=[...]" if isinstance(class_index, str) else ""
        raise ValueError(
            f"class_index = {shown(class_index)}: must be one whole number from 0 to {count - 1}"
            f"{named}"
        )
    return index

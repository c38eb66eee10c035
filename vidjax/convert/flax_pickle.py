"""Reads Flax variables that were pickled as NumPy arrays, and gives them PyTorch-like names.

The loader knows only PyTorch's names and axis order, so these files are brought into both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vidjax.convert.numpy_pickles import Array
from vidjax.convert.state_dict import AXES
from vidjax.convert.torch_pickles import CheckpointError

_NAMES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
_COLLECTIONS = ("params", "batch_stats")
# The deepest nesting of modules that is read; I3D has three levels.
_DEEPEST = 32


def flax_tensors(tree: Any) -> dict[str, np.ndarray] | None:
    """Returns the arrays of pickled Flax variables, by PyTorch-like module and parameter name.

    Kernels get PyTorch's axis order, `[out, in, t, h, w]`. A norm that has no scale in Flax gets a
    scale of ones.

    Args:
      tree: the pickle's content, as returned by `load_arrays`.

    Returns:
      The arrays, or None if the tree does not hold Flax variables.

    Raises:
      CheckpointError: an array is damaged.
    """
    if not isinstance(tree, Mapping) or not isinstance(tree.get("params"), Mapping):
        return None
    found: dict[str, np.ndarray] = {}
    for collection in _COLLECTIONS:
        for module, leaf, array in _leaves(tree.get(collection), ()):
            found[f"{module}.{_NAMES.get(leaf, leaf)}"] = _in_order(leaf, array.read())
    for key, mean in list(found.items()):
        module, _, leaf = key.rpartition(".")
        if leaf == "running_mean":
            found.setdefault(f"{module}.weight", np.ones_like(mean))
    return found


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str, Array]]:
    if len(path) > _DEEPEST:
        raise CheckpointError(f"seems to be damaged: its modules are nested over {_DEEPEST} deep")
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Array):
            yield ".".join(path), name, value
        else:
            yield from _leaves(value, (*path, name))


def _in_order(leaf: str, array: np.ndarray) -> np.ndarray:
    if leaf != "kernel":
        # Some files keep a norm's statistics as an array that also has the axes of the clip.
        return array.reshape(-1)
    if array.ndim not in AXES:
        return array
    return array.transpose(np.argsort(AXES[array.ndim]))

"""Flax variables that were pickled as NumPy arrays, under the names that PyTorch would give them.

What lays a checkpoint into a network knows PyTorch's names and order of axes alone; so these
files are brought into them.
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
# Modules in one another; I3D has three.
_DEEPEST = 32


def flax_tensors(tree: Any) -> dict[str, np.ndarray] | None:
    """The arrays of pickled Flax variables, by module and name as in PyTorch.

    Kernels have their axes in PyTorch's order, `[out, in, t, h, w]`. A norm that Flax gives no
    scale has one of 1s.

    Args:
      tree: what `load_arrays` has made of the pickle.

    Returns:
      The arrays; None if these are no Flax variables.

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
        # Some keep the statistics of a norm as an array with the axes of the clip.
        return array.reshape(-1)
    if array.ndim not in AXES:
        return array
    return array.transpose(np.argsort(AXES[array.ndim]))

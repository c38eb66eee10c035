"""Blobs of Caffe2 that were pickled as NumPy arrays, under the names that PyTorch would give them.

PySlowFast and video-nonlocal-net have published such files. A pickle of Python 2, as they are, has
the bytes of its arrays as texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from vidjax.convert.numpy_pickles import Array

# A blob is a layer and a letter of what it holds: weights, biases, a norm's scale and statistics.
_BLOB = re.compile(r"(?P<layer>\w+)_(?P<kind>w|b|s|rm|riv)")
_NAMES = {"w": "weight", "b": "bias", "s": "weight", "rm": "running_mean", "riv": "running_var"}


def caffe2_tensors(tree: Any) -> dict[str, np.ndarray] | None:
    """The blobs of a pickled Caffe2 network, by layer and name as in PyTorch.

    What training kept beside them, such as momenta and the rate, is left out.

    Args:
      tree: what `load_arrays` has made of the pickle.

    Returns:
      The arrays; None if these are no blobs.

    Raises:
      CheckpointError: a blob is damaged.
    """
    blobs = tree.get("blobs") if isinstance(tree, Mapping) else None
    if not isinstance(blobs, Mapping):
        return None
    named = ((_BLOB.fullmatch(name), blob) for name, blob in blobs.items())
    return {
        f"{found['layer']}.{_NAMES[found['kind']]}": blob.read()
        for found, blob in named
        if found and isinstance(blob, Array)
    }

"""Reads Caffe2 blobs that were pickled as NumPy arrays, and gives them PyTorch-like names.

PySlowFast and video-nonlocal-net have published such files. They are pickles of Python 2, which
store the bytes of arrays as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from vidjax.convert.numpy_pickles import Array

# A blob's name is a layer and a letter for its content: weight, bias, norm scale or statistics.
_BLOB = re.compile(r"(?P<layer>\w+)_(?P<kind>w|b|s|rm|riv)")
_NAMES = {"w": "weight", "b": "bias", "s": "weight", "rm": "running_mean", "riv": "running_var"}


def caffe2_tensors(tree: Any) -> dict[str, np.ndarray] | None:
    """Returns the blobs of a pickled Caffe2 network, by layer and PyTorch-like name.

    Training state beside them, such as momenta and the learning rate, is left out.

    Args:
      tree: the pickle's content, as returned by `load_arrays`.

    Returns:
      The arrays, or None if the tree does not hold Caffe2 blobs.

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

"""Eigen-CAM: the first principal direction of the channels, the same for every class.

Source: Muhammad and Yeasin, IJCNN 2020, eq. 2 and 3. Activations, with one row per location in
space and time, are projected on their first right singular vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.features_and_gradients import features_of
from vidjax.explain.map_types import Heat, Map
from vidjax.explain.traced_network import TracedNetwork


def draw_eigen_cam(
    network: TracedNetwork, variables: Any, clip: Any, class_index: int, layer: str | None
) -> Heat:
    """Computes `A v`: v is the first right singular vector of features A `[locations, channels]`.

    The sign of a singular vector is arbitrary. It is chosen so that the map's sum is positive. For
    rectified features the map then has no negative values.
    """
    del class_index
    return Heat(tuple(map(_cells, features_of(network, variables, clip, layer))), 1)


def _cells(features: np.ndarray) -> np.ndarray:
    places = features.reshape(len(features), -1).T.astype(np.float64)
    # The smaller of the two Gram matrices has the same singular vectors.
    if len(places) < places.shape[1]:
        values, vectors = np.linalg.eigh(places @ places.T)
        projected = vectors[:, -1] * np.sqrt(max(values[-1], 0))
    else:
        projected = places @ np.linalg.eigh(places.T @ places)[1][:, -1]
    sign = -1 if projected.sum() < 0 else 1
    return sign * projected.reshape(features.shape[1:])


MAPS = (
    Map(
        "eigen_cam",
        "Eigen-CAM",
        draw_eigen_cam,
        "Muhammad and Yeasin, IJCNN 2020, eq. 2-3",
        rank=80,
    ),
)

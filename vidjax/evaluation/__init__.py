"""Evaluation: protocols, metrics, significance tests, reports, costs and probes of features.

Networks are passed as arguments.
"""

from __future__ import annotations

import importlib
from typing import Any

from vidjax.evaluation.significance import McNemar, mcnemar

# Imported on first use: scikit-learn and JAX take a second each.
_HOMES = {
    "FrameChoices": "frame_choices",
    "LinearProbe": "linear_probes",
    "NearestNeighbours": "nearest_neighbours",
    "count_frame_choices": "frame_choices",
    "knn": "nearest_neighbours",
    "linear_probe": "linear_probes",
}

__all__ = [
    "FrameChoices",
    "LinearProbe",
    "McNemar",
    "NearestNeighbours",
    "count_frame_choices",
    "knn",
    "linear_probe",
    "mcnemar",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

"""vidjax: recognising and explaining human actions in video with JAX and Flax."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "create_model": "vidjax.models.registry",
    "list_models": "vidjax.models.listing",
    "model_card": "vidjax.models.listing",
    "options": "vidjax.models.described",
    "count_cost": "vidjax.evaluation.cost",
    "load_torch": "vidjax.convert.loading",
    "Pretrained": "vidjax.trained.published.pretrained",
    "list_pretrained": "vidjax.trained.published.registry",
    "load_pretrained": "vidjax.trained.published.pretrained",
    "read_clip": "vidjax.trained.preprocessing",
    "features": "vidjax.trained.features",
    "read_features": "vidjax.trained.feature_files.files",
}
_PACKAGES = (
    "convert",
    "data",
    "evaluation",
    "explain",
    "layers",
    "methods",
    "models",
    "plugins",
    "program",
    "run",
    "slots",
    "trained",
    "training",
)

__all__ = [
    "Pretrained",
    "count_cost",
    "create_model",
    "features",
    "list_models",
    "list_pretrained",
    "load_pretrained",
    "load_torch",
    "model_card",
    "options",
    "read_clip",
    "read_features",
]


def __getattr__(name: str) -> Any:
    """Imports on first use, so that processes which only decode video do not load JAX."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"vidjax.{name}")
    raise AttributeError(f"module 'vidjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_PACKAGES])

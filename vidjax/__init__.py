"""vidjax: recognising and explaining human actions in video with JAX and Flax."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers and editors; at run time each name is imported on first use.
    from vidjax.convert.loading import load_torch as load_torch
    from vidjax.evaluation.cost import count_cost as count_cost
    from vidjax.models.model_list import list_models as list_models
    from vidjax.models.model_list import model_card as model_card
    from vidjax.models.option_table import options as options
    from vidjax.models.registry import create_model as create_model
    from vidjax.trained.feature_files.files import read_features as read_features
    from vidjax.trained.features import features as features
    from vidjax.trained.preprocessing import read_clip as read_clip
    from vidjax.trained.published.pretrained import Pretrained as Pretrained
    from vidjax.trained.published.pretrained import load_pretrained as load_pretrained
    from vidjax.trained.published.registry import list_pretrained as list_pretrained
    from vidjax.trained.sources.run import open_run as open_run
    from vidjax.training.clips import clips as clips

__version__ = "0.2.0"

_HOMES = {
    "create_model": "vidjax.models.registry",
    "list_models": "vidjax.models.model_list",
    "model_card": "vidjax.models.model_list",
    "options": "vidjax.models.option_table",
    "count_cost": "vidjax.evaluation.cost",
    "load_torch": "vidjax.convert.loading",
    "Pretrained": "vidjax.trained.published.pretrained",
    "list_pretrained": "vidjax.trained.published.registry",
    "load_pretrained": "vidjax.trained.published.pretrained",
    "read_clip": "vidjax.trained.preprocessing",
    "features": "vidjax.trained.features",
    "read_features": "vidjax.trained.feature_files.files",
    "open_run": "vidjax.trained.sources.run",
    "clips": "vidjax.training.clips",
}
_PACKAGES = (
    "configs",
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
    "clips",
    "count_cost",
    "create_model",
    "features",
    "list_models",
    "list_pretrained",
    "load_pretrained",
    "load_torch",
    "model_card",
    "open_run",
    "options",
    "read_clip",
    "read_features",
]


def __getattr__(name: str) -> Any:
    """Imports a name on first use, so that processes that only decode video do not load JAX."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"vidjax.{name}")
    raise AttributeError(f"module 'vidjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_PACKAGES])

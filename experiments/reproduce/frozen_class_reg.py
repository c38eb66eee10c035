"""Class Regularization trained alone on a trained, frozen network, as our own tables test it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from .contrasts import Contrast, contrasts
from .table import Row

BASE = "base"
SOURCE = "r3d-50 on Kinetics-400, thesis, table 6.4, which leaves the bounds open"
_METHODS: dict[str, dict[str, Any]] = {
    "symmetric": {"bounds": "symmetric"},
    "unit": {"bounds": "unit"},
    "random": {"bounds": "symmetric", "row": "random"},
}


def rows(base: str) -> tuple[Row, ...]:
    """Returns the rows of a table; all others begin with the network of the first.

    Args:
      base: label of the first row.
    """
    return (
        Row(BASE, base, 63.6),
        Row("symmetric", "symmetric bounds", 64.2, begins=BASE),
        Row("random", "symmetric bounds, random class", begins=BASE),
        Row("unit", "unit bounds", 64.2, begins=BASE),
        Row("head", "head alone", begins=BASE),
    )


def train_alone(config: ConfigDict, row: str) -> None:
    """Adds the method of a row, and trains nothing else; the row `head` trains the head."""
    if row in _METHODS:
        config.model.options.class_reg = _METHODS[row]
    if row != BASE:
        config.train.train_only = "head" if row == "head" else "class_reg"


def questions(datasets: Sequence[str]) -> tuple[Contrast, ...]:
    """Returns the contrasts besides the primary one.

    They compare the method with a random class and with the head alone, and all rows with the base.
    """
    against = ("random", "head")
    return (
        *(Contrast("symmetric", other, dataset) for dataset in datasets for other in against),
        *contrasts([row.name for row in rows("")], BASE, datasets, "top1"),
    )

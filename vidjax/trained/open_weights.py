"""Opens a trained network by the text that names its weights."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import vidjax.trained.sources
from vidjax.trained.trained_network import Trained
from vidjax.trained.weights_name import WeightsError, WeightsName
from vidjax.untrusted_names import printable

HELP = (
    "a run's directory, a folder of vidjax convert, NETWORK:FILE for a PyTorch file, or "
    "NETWORK:TAG for published weights, as `vidjax published` lists them"
)


def open_weights(text: str, options: Mapping[str, Any] | None = None) -> Trained:
    """Opens a trained network; its arrays are read on first use if the source allows that.

    Args:
      text: name of the weights; see `HELP`.
      options: options of the network, as in `create_model`, besides those that the weights
        determine.

    Raises:
      WeightsError: the text names nothing, or the weights cannot be used; says what can.
      ValueError: the weights are damaged, or the network's options do not fit.
    """
    wanted = WeightsName.parse(text, options)
    for find in _finders():
        if (found := find(wanted)) is not None:
            return found
    raise WeightsError(f"{printable(text)} names no weights. Name {HELP}")


@functools.cache
def _finders() -> tuple[Callable[[WeightsName], Trained | None], ...]:
    modules = pkgutil.iter_modules(vidjax.trained.sources.__path__)
    return tuple(
        importlib.import_module(f"vidjax.trained.sources.{info.name}").find for info in modules
    )

"""Opening a trained network by the text that names it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import vidjax.trained.sources
from vidjax.trained.trained_network import Trained
from vidjax.trained.weights_name import Wanted, WeightsError
from vidjax.untrusted_names import told

HELP = (
    "a run's directory, a folder of vidjax convert, NETWORK:FILE with a PyTorch file, or "
    "NETWORK:TAG, published weights as in vidjax.list_pretrained()"
)


def open_weights(text: str, options: Mapping[str, Any] | None = None) -> Trained:
    """A trained network, its arrays not read yet where its source allows that.

    Args:
      text: names it; see `HELP`.
      options: of the network beside those that the weights determine, as in `create_model`.

    Raises:
      WeightsError: nothing is called so, or it cannot be used; says what is.
      ValueError: the weights are damaged, or the network's options do not fit.
    """
    wanted = Wanted.parse(text, options)
    for find in _finders():
        if (found := find(wanted)) is not None:
            return found
    raise WeightsError(f"{told(text)} names no weights. Name {HELP}")


@functools.cache
def _finders() -> tuple[Callable[[Wanted], Trained | None], ...]:
    modules = pkgutil.iter_modules(vidjax.trained.sources.__path__)
    return tuple(
        importlib.import_module(f"vidjax.trained.sources.{info.name}").find for info in modules
    )

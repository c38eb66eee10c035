"""Training a part of a network while the rest stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import optax

from vidjax.names import nearest
from vidjax.run.config import ConfigError

Params = Any


def frozen(params: Params, part: str) -> Params:
    """Which parameters stay as they are: those without `part` in their path.

    Args:
      params: a network's parameters.
      part: name of a module or parameter, such as `class_reg` or `head`.

    Raises:
      ConfigError: no parameter has it.
    """
    paths = [_names(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    if not any(part in path for path in paths):
        known = {name for path in paths for name in path}
        raise ConfigError(
            f"train.train_only = {part!r} is in no parameter (is its method in model.options?): "
            f"{nearest(part, known)}"
        )
    return jax.tree_util.tree_map_with_path(lambda path, _: part not in _names(path), params)


def hold(params: Params, part: str) -> Params:
    """The same values, of which only the trained part gets a gradient."""
    return jax.tree.map(
        lambda leaf, held: jax.lax.stop_gradient(leaf) if held else leaf,
        params,
        frozen(params, part),
    )


def train_part(
    optimizer: optax.GradientTransformationExtraArgs, part: str
) -> optax.GradientTransformationExtraArgs:
    """An optimiser that changes, decays and keeps momentum of the trained part alone."""

    def labels(params: Params) -> Params:
        return jax.tree.map(lambda held: "hold" if held else "train", frozen(params, part))

    return optax.partition({"train": optimizer, "hold": optax.set_to_zero()}, labels)


def _names(path: Sequence[Any]) -> list[str]:
    return [str(part.key) for part in path]

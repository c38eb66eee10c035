"""Starting from converted weights instead of random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.convert import folder
from vidjax.training.config import Config, ConfigError
from vidjax.training.state import TrainState

HEAD = "head"


def resolve(config: Config) -> Config:
    """The configuration with what the weights determine: options and colours.

    What it says itself stays. A run keeps the result, so that it needs the weights only once.

    Raises:
      ConfigError: the folder holds no weights, or those of another network.
    """
    model = config.model
    if not model.weights:
        return config
    try:
        weights = folder.read(Path(model.weights))
    except ValueError as error:
        raise ConfigError(f"model.weights: {error}") from None
    if weights.name != model.name:
        raise ConfigError(
            f"model.weights = {model.weights!r} are of {weights.name}, not {model.name}"
        )
    filled = dataclasses.replace(
        model,
        options={**weights.options, **model.options},
        mean=model.mean or weights.mean,
        std=model.std or weights.std,
    )
    return dataclasses.replace(config, model=filled)


def start_from(state: TrainState, directory: Path, say: Callable[[str], None]) -> TrainState:
    """The first state with the weights of a folder; a classifier of another size stays random.

    Args:
      state: as initialised; its shardings are kept.
      directory: folder of converted weights.
      say: told what was taken over.

    Raises:
      ConfigError: the weights do not fit the network.
    """
    variables = folder.read(directory).variables()
    fresh = []

    def take(path: Any, own: jax.Array, given: Any) -> jax.Array:
        if own.shape == given.shape:
            return jax.device_put(given.astype(own.dtype), own.sharding)
        if path[0].key == HEAD:
            fresh.append(path)
            return own
        name = "/".join(part.key for part in path)
        raise ConfigError(
            f"model.weights = {str(directory)!r}: {name} is {given.shape}, in the network "
            f"{own.shape}; were model.options changed?"
        )

    try:
        params = jax.tree_util.tree_map_with_path(take, state.params, variables["params"])
        stats = jax.tree_util.tree_map_with_path(take, state.batch_stats, variables["batch_stats"])
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"model.weights = {str(directory)!r} do not fit: {error}") from None
    say(f"starting from {directory}" + (", with a new classifier" if fresh else ""))
    # A copy: a step donates its state, and no buffer can be given away twice.
    ema = None if state.ema is None else jax.tree.map(jnp.copy, params)
    return state.replace(params=params, batch_stats=stats, ema=ema)

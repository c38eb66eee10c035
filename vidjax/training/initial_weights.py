"""Starts a run from trained weights: from an earlier run or from published weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vidjax.data.labels import normal
from vidjax.data.transforms import COLOURS
from vidjax.run.config import Config, ConfigError
from vidjax.run.setting_groups import ModelConfig
from vidjax.run.state import TrainState
from vidjax.slots.block import in_slot
from vidjax.trained.open_weights import open_weights
from vidjax.trained.trained_network import Trained

HEAD = "head"
Tree = dict[str, Any]


def _open(model: ModelConfig) -> Trained:
    try:
        return open_weights(model.weights, model.options)
    except ValueError as error:
        raise ConfigError(f"model.weights: {error}") from None


def resolve(config: Config) -> Config:
    """Fills in the options and colours that the weights determine.

    Settings of the configuration take precedence. The run stores the result, so that it needs the
    weights only once.

    Raises:
      ConfigError: the weights do not exist or belong to another network.
    """
    model = config.model
    if not model.weights:
        return config
    weights = _open(model)
    if weights.name != model.name:
        raise ConfigError(
            f"model.weights = {model.weights!r} belong to {weights.name}, not to {model.name}"
        )
    seen = weights.preprocessing
    # For a network on optical flow, the mean and std of three colours do not apply.
    fits = len(seen.mean) == (2 if config.data.flow else COLOURS)
    filled = dataclasses.replace(
        model,
        options={**weights.options, **model.options},
        mean=model.mean or (seen.mean if fits else None),
        std=model.std or (seen.std if fits else None),
    )
    return dataclasses.replace(config, model=filled)


def start_from(
    state: TrainState, model: ModelConfig, classes: Sequence[str], say: Callable[[str], None]
) -> TrainState:
    """Returns the initial state with the given weights.

    Modules that the weights do not contain, because a method was added to the network, stay random.
    So does a classifier for other classes. If the classes are the same in another order, the
    classifier is reordered.

    Args:
      state: the initialised state; its shardings are kept.
      model: the network and its weights, from `resolve`.
      classes: names of the network's classes, in order.
      say: prints what was loaded and what stays random.

    Raises:
      ConfigError: the weights do not fit the network.
    """
    weights = _open(model)
    variables = dict(weights.variables)
    variables["params"] = _for_classes(variables["params"], weights.classes, classes)
    try:
        params, fresh = _take(state.params, variables["params"])
        stats, _ = _take(state.batch_stats, variables["batch_stats"])
    except ConfigError as error:
        raise ConfigError(f"model.weights = {model.weights!r}: {error}") from None
    say(f"starting from {model.weights}" + (f"; random: {', '.join(fresh)}" if fresh else ""))
    # A copy, because a step donates its state, and a buffer can be donated only once.
    ema = None if state.ema is None else jax.tree.map(jnp.copy, params)
    return state.replace(params=params, batch_stats=stats, ema=ema)


def _for_classes(params: Tree, theirs: Sequence[str] | None, ours: Sequence[str]) -> Tree:
    """Returns parameters with a classifier for our classes, or without a classifier."""
    if theirs is None or tuple(theirs) == tuple(ours):
        return params
    places = {normal(name): place for place, name in enumerate(theirs)}
    rest = {name: part for name, part in params.items() if name != HEAD}
    if places.keys() != set(map(normal, ours)):
        return rest
    order = np.array([places[normal(name)] for name in ours])
    return rest | {HEAD: jax.tree.map(lambda array: array[..., order], params[HEAD])}


def _take(own: Tree, given: Tree) -> tuple[Tree, list[str]]:
    """Puts given arrays in place of the network's; also returns the modules that keep their own."""
    ours, theirs = flatten_dict(own, sep="/"), flatten_dict(given, sep="/")
    if unknown := sorted(theirs.keys() - ours.keys()):
        raise ConfigError(f"the network has no {unknown[0]}; did you change model.options?")
    fresh: dict[str, None] = {}
    taken = {}
    for path, array in ours.items():
        parts = path.split("/")
        if path in theirs and theirs[path].shape == array.shape:
            taken[path] = jax.device_put(theirs[path].astype(array.dtype), array.sharding)
        elif parts[0] == HEAD or (path not in theirs and in_slot(parts)):
            taken[path] = array
            fresh["/".join(parts[:-1])] = None
        else:
            their = f"has shape {theirs[path].shape}" if path in theirs else "is missing"
            raise ConfigError(
                f"{path} {their}, but the network needs {array.shape}; did you change "
                "model.options?"
            )
    return unflatten_dict(taken, sep="/"), list(fresh)

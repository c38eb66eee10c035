"""Loaded variables, together with the network that they fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
from flax import serialization

from vidjax.convert.state_dict import Report
from vidjax.models.registry import create_model

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Facts:
    """Facts about loaded variables: the attributes of `Loaded`."""

    name: str
    options: dict[str, Any]
    num_classes: int
    mean: Colour
    std: Colour
    frames: int | None
    report: Report

    def __hash__(self) -> int:
        """Hashes the hashable fields; JAX keeps the facts beside its compiled programs."""
        return hash((self.name, self.num_classes, self.frames))


class Loaded(dict[str, Any]):
    """`{"params": ..., "batch_stats": ...}`, together with the network that these variables fit.

    It works wherever a dict of variables does: in `model.apply`, as an argument of functions under
    `jax.jit`, and in checkpoints. `jax.tree.map` returns such a dict with the same attributes. JAX
    treats it as another tree type than a plain dict: use `variables` to map over both together.

    Attributes:
      name: name of the network, as in `list_models()`.
      options: arguments for `create_model`, besides the name, that build the file's network.
      num_classes: number of logits.
      mean: mean of red, green and blue in [0, 1], as in training.
      std: standard deviation of red, green and blue in [0, 1].
      frames: the only number of frames that the weights fit; None means any.
      report: what happened to each tensor of the file.
    """

    def __init__(self, variables: dict[str, Any], facts: Facts) -> None:
        super().__init__(variables)
        self.facts = facts
        self.name = facts.name
        self.options = facts.options
        self.num_classes = facts.num_classes
        self.mean = facts.mean
        self.std = facts.std
        self.frames = facts.frames
        self.report = facts.report

    @property
    def model(self) -> nn.Module:
        """The network: `loaded.model.apply(loaded, clip, train=False)` gives logits."""
        return create_model(self.name, num_classes=self.num_classes, **self.options)

    @property
    def variables(self) -> dict[str, Any]:
        """The same variables as a plain dict."""
        return dict(self)


_Kind = tuple[tuple[str, ...], Facts]


def _flatten(loaded: Loaded) -> tuple[list[tuple[Any, Any]], _Kind]:
    names = tuple(sorted(loaded))
    keyed = [(jax.tree_util.DictKey(name), loaded[name]) for name in names]
    return keyed, (names, loaded.facts)


def _unflatten(kind: _Kind, values: Iterable[Any]) -> Loaded:
    names, facts = kind
    return Loaded(dict(zip(names, values, strict=True)), facts)


jax.tree_util.register_pytree_with_keys(Loaded, _flatten, _unflatten)
serialization.register_serialization_state(
    Loaded,
    lambda loaded: serialization.to_state_dict(loaded.variables),
    lambda loaded, state: Loaded(
        serialization.from_state_dict(loaded.variables, state), loaded.facts
    ),
)

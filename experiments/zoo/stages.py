"""Reads the stages of a network from its program: blocks, channels, frames, pixels and costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from vidjax.evaluation.cost import Cost, count_cost
from vidjax.layers.lowering import force_lowering
from vidjax.models.interface import channels_of
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model

# Names of layers, such as `layer2/block1/conv1`, `slow_layer2/...`, `layer2_unit1` or `stem_conv1`.
_STAGE = re.compile(r"(?:(?P<pathway>slow|fast)_)?(?:(?P<stem>stem|entrance)|layer(?P<number>\d))")
_BLOCK = re.compile(r"(?:block|unit)\d+")
_FAST = "fast"


@dataclass(frozen=True)
class Stage:
    """A stage of a network, for one clip of the size of its model card.

    Attributes:
      name: `stem`, or `stage 1` to `stage 4`.
      pathway: `slow` or `fast`; empty if there is one pathway.
      blocks: number of blocks; None for a stem, and if the layers' names do not say it.
      shape: frames, height, width and channels of its output.
      cost: parameters and multiply-adds; None if the layers' names do not say the stage.
    """

    name: str
    pathway: str
    blocks: int | None
    shape: tuple[int, int, int, int]
    cost: tuple[int, int] | None


@dataclass(frozen=True)
class Outline:
    """A network from its input to its classifier.

    Attributes:
      network: name of the network.
      clip: frames, height, width and channels of the input.
      stages: its stages, in the order of computation, pathway by pathway.
      features: number of features that the classifier takes.
      rest: parameters and multiply-adds outside of the stages: classifier, connections.
      whole: parameters and multiply-adds of the whole network.
    """

    network: str
    clip: tuple[int, int, int, int]
    stages: tuple[Stage, ...]
    features: int
    rest: tuple[int, int]
    whole: tuple[int, int]

    @property
    def pathways(self) -> dict[str, list[Stage]]:
        """The stages of each pathway."""
        found: dict[str, list[Stage]] = {}
        for stage in self.stages:
            found.setdefault(stage.pathway, []).append(stage)
        return found


def outline(name: str) -> Outline:
    """Traces a network with 400 classes on a clip of its model card; computes shapes only.

    Raises:
      ValueError: the network is unknown.
    """
    model, card = create_model(name), model_card(name)
    clip = (*card.clip, channels_of(model))
    sown = _sown(model, clip)
    cost = count_cost(model, card.clip)
    two = any(key.startswith(f"{_FAST}_") for key in sown)
    costs = _costs_by_stage(cost)
    blocks = _blocks_by_stage(cost)
    stages = []
    for pathway in ("slow", _FAST) if two else ("",):
        for own in ("stem", *(f"stage{number}" for number in range(1, 5))):
            shape = sown.get(f"{_FAST}_{own}" if pathway == _FAST else own)
            if shape is not None:
                at = (pathway, own)
                title = own.replace("stage", "stage ")
                stages.append(Stage(title, pathway, blocks.get(at), shape[1:], costs.get(at)))
    whole = (cost.params, cost.macs)
    known = [stage.cost for stage in stages if stage.cost]
    rest = tuple(total - sum(own[k] for own in known) for k, total in enumerate(whole))
    return Outline(name, clip, tuple(stages), sown["pre_logits"][-1], (rest[0], rest[1]), whole)


def _sown(model: Any, clip: tuple[int, ...]) -> dict[str, Any]:
    """Returns the shapes of the features that a network sows, by name."""

    def run(x: jax.Array) -> Any:
        variables = model.init(jax.random.key(0), x, train=False)
        own = {key: value for key, value in variables.items() if key != "intermediates"}
        return model.apply(own, x, train=False, mutable=["intermediates"])[1]["intermediates"]

    with force_lowering("lax"):
        found = jax.eval_shape(run, jax.ShapeDtypeStruct((1, *clip), jnp.float32))
    return {key: value[0].shape for key, value in found.items() if isinstance(value, tuple)}


def _costs_by_stage(cost: Cost) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Returns parameters and multiply-adds by pathway and stage."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for layer in cost.by_layer:
        if at := _stage_of(layer.layer):
            params, macs = found.get(at, (0, 0))
            found[at] = (params + layer.params, macs + layer.macs)
    return found


def _blocks_by_stage(cost: Cost) -> Mapping[tuple[str, str], int]:
    """Returns the number of blocks by pathway and stage."""
    found: dict[tuple[str, str], set[str]] = {}
    for layer in cost.by_layer:
        at, block = _stage_of(layer.layer), _BLOCK.search(layer.layer)
        if at and block:
            # Big and little branches have blocks of the same numbers.
            found.setdefault(at, set()).add(layer.layer[: block.end()])
    return {at: len(blocks) for at, blocks in found.items()}


def _stage_of(layer: str) -> tuple[str, str] | None:
    """Returns the pathway and the stage of a layer; None for a layer outside of the stages."""
    match = _STAGE.match(layer)
    if not match:
        return None
    own = "stem" if match["stem"] else f"stage{match['number']}"
    return match["pathway"] or "", own


def count(number: int) -> str:
    """Formats a number of parameters or multiply-adds, such as `1.23 M` or `4.56 G`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return str(number)


def size(shape: Iterable[int]) -> str:
    """Formats frames, height and width, such as `8 × 56 × 56`."""
    return " × ".join(map(str, shape))

"""The channels that Class Regularization amplifies most for a class.

Source: Stergiou, thesis, section 6.3.3 and figure 6.3. At each location they are the channels with
the largest factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.back_step import normalize
from vidjax.explain.input_checks import as_class, as_clip
from vidjax.explain.pyramid_figure import smaller
from vidjax.explain.regularized_tubes import name_of, regularized_pass, regularized_places
from vidjax.explain.strip_figure import Cell, Strip
from vidjax.explain.traced_network import trace_network
from vidjax.explain.upsampling import CUBIC, Size, upsample
from vidjax.methods.class_regularization import FACTORS, INDEX, ClassRegularization, scale

FOOT = "Below three frames: module · class, channel · factor · cells. A factor above 1 amplifies."


@dataclass(frozen=True)
class Amplified:
    """What one Class Regularization of a network does with a clip.

    Attributes:
      place: path of its module, such as `layer3/after_stage`.
      class_index: the class whose weights make the factors.
      factors: factors that the channels are multiplied by, float32 `[C]`.
      maps: the channels before the multiplication, float32 `[C, T', H', W']`.
    """

    place: str
    class_index: int
    factors: np.ndarray = field(repr=False)
    maps: np.ndarray = field(repr=False)

    def strongest(self, count: int) -> np.ndarray:
        """Returns the channels with the largest factors; ties go to the lower channel."""
        return np.argsort(-self.factors, kind="stable")[:count]

    def tube(self, channel: int, size: Size, degree: int | None = CUBIC) -> np.ndarray:
        """Returns where a channel is active, `[T, H, W]` in [0, 1]."""
        return normalize(upsample(self.maps[channel], size, degree))


def amplified(
    model: nn.Module, variables: Any, clip: Any, class_index: int | None = None
) -> tuple[Amplified, ...]:
    """Returns the factors and channels of each Class Regularization, in the order of the network.

    Args:
      model: a network with `class_reg`.
      variables: the model's variables.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`.
      class_index: the class whose factors are returned. None takes, at each location, the class
        that Class Regularization chooses for the clip.

    Raises:
      ValueError: the class does not exist, or the network has no Class Regularization.
    """
    clip = as_clip(clip)
    network = trace_network(model, variables, clip)
    class_index = as_class(class_index, network.graph.logits.shape[-1])
    places = regularized_places(network)
    if not places:
        raise ValueError("the network has no Class Regularization (its option class_reg)")
    _, found = jax.tree.map(np.asarray, regularized_pass(network)(variables, clip))
    return tuple(
        _at(place.name, chosen, index, row, maps)
        for place, (maps, rows), chosen in zip(
            places, found, _chosen(model, variables, clip, places), strict=True
        )
        for index in [chosen.index if class_index is None else class_index]
        for row in [None if class_index is None else rows[index]]
    )


@dataclass(frozen=True)
class _Chosen:
    """What one Class Regularization chooses for the clip: a class, factors, and its settings."""

    index: int
    factors: np.ndarray
    affection: float
    bounds: str


def _at(
    place: str, chosen: _Chosen, index: int, row: np.ndarray | None, maps: np.ndarray
) -> Amplified:
    """Returns one location, with the factors of the clip or of another class's row."""
    factors = chosen.factors
    if row is not None:
        factors = np.asarray(scale(jnp.asarray(row), chosen.affection, chosen.bounds))
    return Amplified(place, index, factors, maps)


def _chosen(model: nn.Module, variables: Any, clip: Any, places: Any) -> list[_Chosen]:
    modules: dict[str, ClassRegularization] = {}

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, ClassRegularization):
            modules["/".join(context.module.path)] = context.module
        return call(*args, **kwargs)

    @jax.jit
    def run(variables: Any, clip: jax.Array) -> Any:
        with nn.intercept_methods(note):
            state = model.apply(variables, clip, train=False, mutable=["intermediates"])[1]
        sown = state["intermediates"]
        return [_sown(sown, place.name) for place in places]

    found = jax.tree.map(np.asarray, run(variables, clip))
    return [
        _Chosen(
            int(index[0]), factors[0], modules[place.name].affection, modules[place.name].bounds
        )
        for place, (index, factors) in zip(places, found, strict=True)
    ]


def _sown(tree: Any, place: str) -> tuple[jax.Array, jax.Array]:
    for part in place.split("/"):
        tree = tree[part]
    return tree[INDEX][0], tree[FACTORS][0]


def amplified_cell(
    found: Sequence[Amplified],
    frames: np.ndarray,
    title: str,
    labels: Sequence[str],
    each: int = 3,
    degree: int | None = CUBIC,
) -> Cell:
    """Draws the most amplified channels, one line per location.

    Args:
      found: locations of a network.
      frames: the clip, uint8 `[T, H, W, 3]`.
      title: title of the cell, such as the class.
      labels: names of the classes.
      each: number of channels per location.
      degree: degree of the splines, as in `upsampling.upsample`.
    """
    size = smaller(frames).shape[:3]
    lines = tuple(
        tuple(
            Strip(
                f"{name_of(own.place)} · {labels[own.class_index]}",
                f"channel {channel} · ×{own.factors[channel]:.2f} · {_cells(own.maps)}",
                own.tube(int(channel), size, degree),
            )
            for channel in own.strongest(each)
        )
        for own in reversed(found)
    )
    return Cell(title, frames, lines)


def _cells(maps: np.ndarray) -> str:
    return f"{'x'.join(map(str, maps.shape[1:]))} cells"

"""Class Feature Pyramids: which kernels, layer by layer, speak for a class.

Stergiou et al., ICCVW 2019; thesis, section 7.5. From the classifier's row of a class the kernels
of the last layer are chosen, from each of these, or from all of a layer, those of the layer before,
and so on. Layers are found by reading the network's program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.anatomy import Anatomy
from vidjax.explain.back_step import DEFAULT, Keep, Rules, normalize
from vidjax.explain.enlarging import Size, enlarge
from vidjax.explain.given import as_class, as_clip
from vidjax.explain.layer import Layer, channels_first
from vidjax.explain.traced import Model, TracedNetwork, trace_network
from vidjax.settings import Kind, check, one_of, whole

LISTS = ("layer", "feature")
SETTINGS: Mapping[str, Kind] = {
    "mode": one_of(*LISTS),
    "depth": whole(1, 1_000_000),
    "rules": Kind(
        "one of vidjax.explain.back_step.Rules, such as PAPER",
        lambda rules: isinstance(rules, Rules),
    ),
}
Place = tuple[str, int]


@dataclass(frozen=True)
class Node:
    """A kernel that another relies on, or the class.

    Attributes:
      layer: name of its layer.
      kernel: its number.
      weight: how much the parent relies on it, in [0, 1].
      children: what it relies on itself, one level deeper.
    """

    layer: str
    kernel: int
    weight: float
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class KeptLayer:
    """The kernels of a layer that were kept.

    Attributes:
      name: of the layer.
      level: 1 for what the classifier relies on, and deeper.
      kernels: their numbers, int `[n]`, ascending.
      weights: the largest that any parent gives them, `[n]`.
      counts: how many connections lead to them, int `[n]`.
      maps: their activations `[n, T', H', W']`, as the first layer that reads them gets them: after
        norm, activation function and whatever else is between; None for a layer after pooling,
        which is nowhere in space and time.
    """

    name: str
    level: int
    kernels: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    maps: np.ndarray | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Pyramid:
    """The pyramid of a clip.

    Attributes:
      class_index: the class.
      mode: as in `class_feature_pyramid`.
      threshold: likewise.
      depth: number of levels.
      size: T, H, W of the clip.
      layers: kept kernels by layer, the last layers of the network first.
      edges: for each kernel of a layer, by layer and number, what it relies on and how much; the
        class itself is `("", class_index)`.
    """

    class_index: int
    mode: str
    threshold: float
    depth: int
    size: Size
    layers: tuple[KeptLayer, ...]
    edges: Mapping[Place, tuple[tuple[Place, float], ...]] = field(repr=False)

    @functools.cached_property
    def roots(self) -> tuple[Node, ...]:
        """The tree; children that several parents have are the same objects."""
        grown: dict[Place, tuple[Node, ...]] = {}

        def grow(place: Place) -> tuple[Node, ...]:
            if place not in grown:
                edges = self.edges.get(place, ())
                grown[place] = tuple(Node(*to, weight, grow(to)) for to, weight in edges)
            return grown[place]

        return grow(("", self.class_index))

    def layer(self, name: str) -> KeptLayer:
        """A layer by its name.

        Raises:
          ValueError: nothing was kept in a layer of that name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise ValueError(f"layer {name!r} is not in the pyramid, which has {known}")

    def tube(self, layer: str, kernel: int | None = None) -> np.ndarray:
        """Where a layer's kept kernels, or one of them, are active: `[T, H, W]` in [0, 1].

        A layer is the sum of its kernels' activations, each as often as connections lead to it
        (CFP, section 3.3).

        Raises:
          ValueError: it is not in the pyramid, or nowhere in space and time.
        """
        own = self.layer(layer)
        maps = self._maps(own)
        if kernel is None:
            return normalize(enlarge(np.tensordot(own.counts, maps, 1), self.size))
        (places,) = np.nonzero(own.kernels == kernel)
        if not len(places):
            raise ValueError(f"kernel {kernel} of {layer!r} was not kept: {own.kernels.tolist()}")
        return normalize(enlarge(maps[places[0]], self.size))

    def children_tube(self, layer: str, kernel: int) -> np.ndarray:
        """Where a kernel's children are active, the sum of them: `[T, H, W]` in [0, 1]."""
        total = np.zeros(self.size, np.float32)
        for (name, number), _ in self.edges.get((layer, kernel), ()):
            own = self.layer(name)
            (place,) = np.nonzero(own.kernels == number)[0]
            total += enlarge(self._maps(own)[place], self.size)
        return normalize(total)

    def _maps(self, layer: KeptLayer) -> np.ndarray:
        if layer.maps is None:
            raise ValueError(
                f"no activations in space are known of layer {layer.name!r}: it comes after "
                "pooling, or the pyramid was read from JSON, which has none"
            )
        return layer.maps


def class_feature_pyramid(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: int | None = None,
    depth: int = 3,
    threshold: float = 0.6,
    mode: str = "layer",
    *,
    top: int | None = None,
    rules: Rules = DEFAULT,
) -> Pyramid:
    """The pyramid of a clip.

    Args:
      model: a Flax module over clips, or a function of `(variables, clip)`.
      variables: of the model.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised.
      class_index: which class, an integer of any kind; None is the predicted one.
      depth: number of levels of kernels: 1 is the class level, the kernels that the classifier
        relies on, 2 also has what these rely on.
      threshold: theta, in [0, 1].
      mode: `layer` merges the kept kernels of a layer, whose products are averaged, into one list;
        `feature` has a list for each of them (section 3.3).
      top: at most so many channels from each list, the largest; None is all.
      rules: where the paper's letter (`back_step.PAPER`) and the authors' code (`back_step.CODE`)
        differ from the default.

    Raises:
      ValueError: names an argument that is not of its kind.
      UnknownPrimitiveError: a primitive of the network is not known.
    """
    check({"mode": mode, "depth": depth, "rules": rules}, SETTINGS)
    keep = Keep(threshold, top)
    clip = as_clip(clip)
    network = trace_network(model, variables, clip)
    class_index = as_class(class_index, network.anatomy.logits.shape[-1])
    if depth > network.anatomy.depth:
        raise ValueError(f"depth = {depth}: this network has levels 1 to {network.anatomy.depth}")
    logits, layers, arrays = jax.tree.map(np.asarray, measure(network, depth)(variables, clip))
    index = int(logits.argmax()) if class_index is None else class_index
    climber = _Climber(network.anatomy, depth, mode, keep, rules)
    means = dict(zip(_readers(network.anatomy, depth), layers, strict=True))
    edges = climber.climb(means, index)
    maps = dict(zip(_sources(network.anatomy, depth), arrays, strict=True))
    kept = tuple(climber.kept(maps))
    return Pyramid(index, mode, threshold, depth, tuple(clip.shape[1:4]), kept, edges)


@functools.lru_cache(maxsize=16)
def measure(network: TracedNetwork, depth: int) -> Callable[[Any, Any], Any]:
    """The one compiled pass, of variables and clip.

    It returns the logits; for the classifier and each layer that is stepped back through, means of
    its kernels and of what it convolves; and the activations that kernels are seen in.
    """
    anatomy = network.anatomy
    layers, sources = _readers(anatomy, depth), _sources(anatomy, depth)
    kernels = [layer.kernel for layer in layers]
    wanted = [anatomy.logits, *kernels, *(layer.data for layer in layers), *sources]

    @jax.jit
    def run(variables: Any, clip: jax.Array) -> Any:
        arrays = [x.astype(jnp.float32) for x in network.evaluate(variables, clip, wanted)]
        logits, rest = arrays[0], arrays[1:]
        means = [
            (layer.mean_kernel(kernel), _means(layer, data))
            for layer, kernel, data in zip(layers, rest, rest[len(layers) :], strict=False)
        ]
        return logits, means, rest[2 * len(layers) :]

    return run


def _means(layer: Layer, data: Any) -> Any:
    laid = channels_first(data, layer.data_axes)
    return laid.reshape(len(laid), -1).mean(-1)


def _readers(anatomy: Anatomy, depth: int) -> list[Layer]:
    """The classifier and the layers that are stepped back through, in the order of levels."""
    return [layer for level in range(depth) for layer in anatomy.at(level)]


def _sources(anatomy: Anatomy, depth: int) -> list[Any]:
    """Values in which the kernels of the pyramid's layers are seen."""
    layers = (layer for level in range(1, depth + 1) for layer in anatomy.at(level))
    return list(dict.fromkeys(anatomy.sources[x].value for x in layers if x in anatomy.sources))


class _Climber:
    """Collects what is kept, level by level."""

    def __init__(self, anatomy: Anatomy, depth: int, mode: str, keep: Keep, rules: Rules) -> None:
        self._anatomy, self._depth, self._mode = anatomy, depth, mode
        self._keep, self._rules = keep, rules
        self._found: dict[Layer, dict[int, tuple[float, int]]] = {}

    def climb(
        self, means: Mapping[Layer, tuple[np.ndarray, np.ndarray]], class_index: int
    ) -> dict[Place, tuple[tuple[Place, float], ...]]:
        """Edges from the class down, given each reader's mean kernels and activations."""
        classifier = self._anatomy.classifier
        kernels, pooled = means[classifier]
        values = self._rules.class_values(pooled, kernels, class_index)
        edges = {("", class_index): self._arrive(classifier, self._keep(values))}
        for layer in list(means)[1:]:
            chosen = self._found.get(layer, {})
            if not chosen:
                continue
            products = self._rules.products(*means[layer], layer.groups)
            wired = self._rules.wired(sorted(chosen), layer.kernels, layer.inputs, layer.groups)
            for group, channels in wired:
                counts = {number: chosen[number][1] for number in group}
                for members, values in self._lists(counts, products[:, channels]):
                    kept = self._keep(self._rules.values(values))
                    own = {channels[place]: weight for place, weight in kept.items()}
                    lists = self._arrive(layer, own, len(members))
                    edges |= {(layer.name, number): lists for number in members}
        return edges

    def _lists(
        self, counts: Mapping[int, int], products: np.ndarray
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Kernels that share a list, and its products, by how many connections lead to each."""
        numbers = list(counts)
        if self._mode == "feature":
            yield from (([number], products[number]) for number in numbers)
        else:
            yield numbers, np.average(products[numbers], axis=0, weights=list(counts.values()))

    def _arrive(
        self, layer: Layer, kept: Mapping[int, float], parents: int = 1
    ) -> tuple[tuple[Place, float], ...]:
        """Notes kernels that are relied on by so many parents alike, and returns their places."""
        edges = []
        for link in self._anatomy.links[layer]:
            if self._anatomy.levels[link.layer] > self._depth:
                continue
            found = self._found.setdefault(link.layer, {})
            for channel, weight in kept.items():
                for number in link.kernels(channel):
                    most, count = found.get(number, (0.0, 0))
                    found[number] = max(most, weight), count + parents
                    edges.append(((link.layer.name, number), weight))
        return tuple(edges)

    def kept(self, arrays: Mapping[Any, np.ndarray]) -> Iterator[KeptLayer]:
        """The layers with what was kept of them, level by level."""
        for layer in sorted(self._found, key=lambda layer: self._anatomy.levels[layer]):
            found, source = self._found[layer], self._anatomy.sources.get(layer)
            numbers = sorted(found)
            if numbers:
                yield KeptLayer(
                    layer.name,
                    self._anatomy.levels[layer],
                    np.array(numbers),
                    np.array([found[number][0] for number in numbers], np.float32),
                    np.array([found[number][1] for number in numbers]),
                    source.maps(arrays[source.value], numbers) if source else None,
                )

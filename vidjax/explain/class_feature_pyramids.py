"""Class Feature Pyramids: the kernels of each layer that a class relies on.

Source: Stergiou et al., ICCVW 2019; thesis, section 7.5. The classifier's row of a class selects
kernels of the last layer. These select kernels of the layer before, one by one or as a layer, and
so on down. The layers are found by reading the network's program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.explain.back_step import DEFAULT, Keep, Rules
from vidjax.explain.compile_options import compiled
from vidjax.explain.input_checks import Class
from vidjax.explain.layer import Layer, channels_first
from vidjax.explain.layer_graph import LayerGraph
from vidjax.explain.open_network import OpenedNetwork, each_clip, open_network
from vidjax.explain.pyramid import KeptLayer, Node, Place, Pyramid
from vidjax.explain.pyramid_paths import END, End, end_of, ending_at, one_sums
from vidjax.explain.traced_network import Model, TracedNetwork
from vidjax.settings import Kind, check, one_of, optional, shown, whole

__all__ = ["KeptLayer", "Node", "Place", "Pyramid", "class_feature_pyramid"]

LISTS = ("layer", "feature")
DEPTH = 3
# The value of most networks in the thesis' table 7.1.
THETA = 0.6
SETTINGS: Mapping[str, Kind] = {
    "mode": one_of(*LISTS),
    "depth": Kind("a whole number in [1, 1000000]", optional(whole(1, 1_000_000)).accepts),
    "down_to": END,
    "rules": Kind(
        "one of vidjax.explain.back_step.Rules, such as PAPER",
        lambda rules: isinstance(rules, Rules),
    ),
}


@each_clip
def class_feature_pyramid(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    depth: int | None = None,
    threshold: float | None = None,
    mode: str = "layer",
    *,
    top: int | None = None,
    rules: Rules = DEFAULT,
    down_to: str | tuple[str, Sequence[int]] | None = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
) -> Pyramid:
    """Computes the Class Feature Pyramid of a clip.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: the model's variables; None for a module of `flax.nnx`.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`. Pass a tuple to a network with
        several inputs. A batch `[B, T, H, W, 3]` or a list of clips returns a list of results.
      class_index: the class to explain, an integer of any kind or one of `classes`. None explains
        the predicted class. For a batch, give one class for all clips or one per clip.
      depth: number of levels of kernels. Level 1 has the kernels that the classifier relies on,
        level 2 also those that these rely on, and so on. None goes down to the layer that `down_to`
        names; without `down_to` it is 3, or fewer if the network has fewer levels.
      threshold: theta, in [0, 1]; None is 0.6. Model cards list the thesis' values.
      mode: `layer` averages the products of a layer's kept kernels and selects one list of channels
        for all of them. `feature` selects a list for each kernel (section 3.3).
      top: the most channels to keep from each list, the largest first; None keeps all.
      rules: which variant to compute where the paper's wording (`back_step.PAPER`), the authors'
        code (`back_step.CODE`) and the default differ.
      down_to: the layer at which the pyramid ends. Give the name of a layer, or of a module to end
        at its last layer. Give a pair of a name and kernel numbers to keep only the paths to those
        kernels.
      classes: names of all classes.
      output: which output holds the logits, as in
        `vidjax.explain.open_network.open_network`.
      clip_input: which input is explained, as in
        `vidjax.explain.open_network.open_network`.


    Raises:
      ValueError: an argument is not valid (the message names it), or the layer or kernel to end at
        does not exist or was not kept.
      UnknownPrimitiveError: the network has a JAX primitive that vidjax cannot trace.

    Examples:
      >>> import jax, vidjax
      >>> model = lambda weights, clip: (clip @ weights["conv"]).mean((1, 2, 3)) @ weights["head"]
      >>> weights = {"conv": jax.numpy.eye(3), "head": jax.numpy.eye(3)}
      >>> clip = jax.random.uniform(jax.random.key(0), (2, 4, 4, 3))
      >>> pyramid = vidjax.explain.class_feature_pyramid(model, weights, clip, class_index=1)
      >>> pyramid.layers[0].name, pyramid.layers[0].kernels.tolist()
      ('conv', [1])
    """
    check({"mode": mode, "depth": depth, "rules": rules, "down_to": down_to}, SETTINGS)
    if depth is not None and down_to is not None:
        told = f"depth = {depth} has no effect: down_to = {shown(down_to)} says where the pyramid"
        raise ValueError(f"{told} ends; leave out one of the two")
    keep = Keep(THETA if threshold is None else threshold, top)
    opened = open_network(
        model, variables, clip, class_index, classes=classes, output=output, clip_input=clip_input
    )
    return _grow(opened, depth, down_to, mode, keep, rules)


def _grow(
    opened: OpenedNetwork,
    depth: int | None,
    down_to: str | tuple[str, Sequence[int]] | None,
    mode: str,
    keep: Keep,
    rules: Rules,
) -> Pyramid:
    """Builds the pyramid of an opened network. Arguments are those of `class_feature_pyramid`."""
    network = opened.network
    end = None if down_to is None else end_of(network.graph, down_to)
    depth = _levels(network.graph, end) if depth is None else depth
    graph = network.graph.down_to(depth)
    if depth > graph.depth:
        raise ValueError(f"depth = {depth}: this network has levels 1 to {graph.depth}")
    measured = measure(network, depth)(opened.variables, opened.clip)
    logits, layers, arrays = jax.tree.map(np.asarray, measured)
    index = opened.chosen(logits)
    climber = _Climber(graph, depth, mode, keep, rules)
    means = dict(zip(_readers(graph, depth), layers, strict=True))
    edges = climber.climb(means, index)
    maps = dict(zip(_sources(graph, depth), arrays, strict=True))
    kept = tuple(climber.kept(maps))
    sums = one_sums(graph, climber.layers)
    found = (index, mode, keep.threshold, depth, opened.size, kept, edges, sums)
    pyramid = Pyramid(*found, logits.reshape(-1))
    return ending_at(pyramid, end) if end else pyramid


def _levels(graph: LayerGraph, end: End | None) -> int:
    """Returns the depth of a pyramid for which no depth was given."""
    if end is None:
        return min(DEPTH, graph.down_to(DEPTH).depth)
    return graph.as_far_as_known.levels[end.layer]


@compiled
def measure(network: TracedNetwork, depth: int) -> Callable[[Any, Any], Any]:
    """Compiles the forward pass of a pyramid, a function of variables and clip.

    The pass returns the logits, then the mean kernels and mean inputs of the classifier and of each
    layer that the back-step reads, and last the activations in which the kernels are seen.
    """
    graph = network.graph.down_to(depth)
    layers, sources = _readers(graph, depth), _sources(graph, depth)
    kernels = [layer.kernel for layer in layers]
    wanted = [graph.logits, *kernels, *(layer.data for layer in layers), *sources]

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


def _readers(graph: LayerGraph, depth: int) -> list[Layer]:
    """Returns the classifier and the layers that the back-step reads, level by level."""
    return [layer for level in range(depth) for layer in graph.at(level)]


def _sources(graph: LayerGraph, depth: int) -> list[Any]:
    """Returns the values in which the kernels of the pyramid's layers are seen."""
    layers = (layer for level in range(1, depth + 1) for layer in graph.at(level))
    return list(dict.fromkeys(graph.sources[x].value for x in layers if x in graph.sources))


class _Climber:
    """Collects the kept kernels, level by level."""

    def __init__(self, graph: LayerGraph, depth: int, mode: str, keep: Keep, rules: Rules) -> None:
        self._graph, self._depth, self._mode = graph, depth, mode
        self._keep, self._rules = keep, rules
        self._found: dict[Layer, dict[int, tuple[float, int]]] = {}

    def climb(
        self, means: Mapping[Layer, tuple[np.ndarray, np.ndarray]], class_index: int
    ) -> dict[Place, tuple[tuple[Place, float], ...]]:
        """Returns the edges from the class down, given mean kernels and inputs of each layer."""
        classifier = self._graph.classifier
        kernels, pooled = means[classifier]
        values = self._rules.class_values(pooled, kernels, class_index)
        edges = {("", class_index): self._arrive(classifier, self._keep(values))}
        for layer in list(means)[1:]:
            chosen = self._found.get(layer, {})
            if not chosen:
                continue
            products = self._rules.products(*means[layer], layer.groups)
            groups = self._rules.reachable_channels(
                sorted(chosen), layer.kernels, layer.inputs, layer.groups
            )
            for group, channels in groups:
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
        """Yields kernels that share a list, with its products averaged by number of connections."""
        numbers = list(counts)
        if self._mode == "feature":
            yield from (([number], products[number]) for number in numbers)
        else:
            yield numbers, np.average(products[numbers], axis=0, weights=list(counts.values()))

    def _arrive(
        self, layer: Layer, kept: Mapping[int, float], parents: int = 1
    ) -> tuple[tuple[Place, float], ...]:
        """Records kernels that `parents` parents rely on, and returns the edges to them."""
        edges = []
        for link in self._graph.links[layer]:
            if self._graph.levels[link.layer] > self._depth:
                continue
            found, own = self._found.setdefault(link.layer, {}), dict[int, float]()
            for channel, weight in kept.items():
                # After a flattened volume, one kernel makes several of the channels.
                for number in link.kernels(channel):
                    own[number] = max(own.get(number, 0.0), weight)
            for number, weight in own.items():
                most, count = found.get(number, (0.0, 0))
                found[number] = max(most, weight), count + parents
                edges.append(((link.layer.name, number), weight))
        return tuple(edges)

    @property
    def layers(self) -> list[Layer]:
        """The layers with kept kernels, level by level."""
        found = [layer for layer, kernels in self._found.items() if kernels]
        return sorted(found, key=lambda layer: self._graph.levels[layer])

    def kept(self, arrays: Mapping[Any, np.ndarray]) -> Iterator[KeptLayer]:
        """Yields the layers with their kept kernels, level by level."""
        for layer in self.layers:
            found, source = self._found[layer], self._graph.sources.get(layer)
            numbers = sorted(found)
            yield KeptLayer(
                layer.name,
                self._graph.levels[layer],
                np.array(numbers),
                np.array([found[number][0] for number in numbers], np.float32),
                np.array([found[number][1] for number in numbers]),
                source.maps(arrays[source.value], numbers) if source else None,
                layer.groups,
                layer.kernels,
            )

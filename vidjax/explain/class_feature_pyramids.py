"""Class Feature Pyramids: which kernels, layer by layer, speak for a class.

Stergiou et al., ICCVW 2019; thesis, section 7.5. From the classifier's row of a class the kernels
of the last layer are chosen, from each of these, or from all of a layer, those of the layer before,
and so on. Layers are found by reading the network's program.
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
from vidjax.explain.layer_graph import Anatomy
from vidjax.explain.open_network import Opened, each_clip, open_network
from vidjax.explain.pyramid import KeptLayer, Node, Place, Pyramid
from vidjax.explain.pyramid_paths import END, End, end_of, ending_at, one_sums
from vidjax.explain.traced_network import Model, TracedNetwork
from vidjax.settings import Kind, check, one_of, optional, shown, whole

__all__ = ["KeptLayer", "Node", "Place", "Pyramid", "class_feature_pyramid"]

LISTS = ("layer", "feature")
DEPTH = 3
# Of most networks of the thesis' table 7.1.
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
    """The pyramid of a clip.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: of the model; None for a module of `flax.nnx`.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised; a tuple for a network of several
        inputs. A batch `[B, T, H, W, 3]`, or a list of clips, gives a list of results.
      class_index: which class, an integer of any kind or one of `classes`; None is the predicted
        one. Of a batch, one for all or one for each.
      depth: number of levels of kernels: 1 is the class level, the kernels that the classifier
        relies on, 2 also has what these rely on. None is 3, as many as there are below that, or
        down to the layer that `down_to` names.
      threshold: theta, in [0, 1]; None is 0.6. Cards of networks have those of the thesis.
      mode: `layer` merges the kept kernels of a layer, whose products are averaged, into one list;
        `feature` has a list for each of them (section 3.3).
      top: at most so many channels from each list, the largest; None is all.
      rules: where the paper's letter (`back_step.PAPER`) and the authors' code (`back_step.CODE`)
        differ from the default.
      down_to: where the pyramid ends: the name of a layer, or of a module, whose last layer is
        meant; or a pair of a name and numbers of kernels, of which the pyramid has the paths that
        lead to them alone.
      classes: names of all classes.
      output: which of several outputs the logits are, as in
      `vidjax.explain.open_network.open_network`.
      clip_input: which of several inputs is explained, likewise.

    Raises:
      ValueError: names an argument that is not of its kind; there is no such layer or kernel, or
        it was not kept.
      UnknownPrimitiveError: a primitive of the network is not known.
    """
    check({"mode": mode, "depth": depth, "rules": rules, "down_to": down_to}, SETTINGS)
    if depth is not None and down_to is not None:
        raise ValueError(
            f"depth = {depth} has no effect: down_to = {shown(down_to)} says where the pyramid "
            "ends; leave one of them out"
        )
    keep = Keep(THETA if threshold is None else threshold, top)
    opened = open_network(
        model,
        variables,
        clip,
        class_index,
        classes=classes,
        output=output,
        clip_input=clip_input,
    )
    return _grow(opened, depth, down_to, mode, keep, rules)


def _grow(
    opened: Opened,
    depth: int | None,
    down_to: str | tuple[str, Sequence[int]] | None,
    mode: str,
    keep: Keep,
    rules: Rules,
) -> Pyramid:
    """The pyramid of an opened network; arguments are those of `class_feature_pyramid`."""
    network = opened.network
    end = None if down_to is None else end_of(network.anatomy, down_to)
    depth = _levels(network.anatomy, end) if depth is None else depth
    anatomy = network.anatomy.down_to(depth)
    if depth > anatomy.depth:
        raise ValueError(f"depth = {depth}: this network has levels 1 to {anatomy.depth}")
    measured = measure(network, depth)(opened.variables, opened.clip)
    logits, layers, arrays = jax.tree.map(np.asarray, measured)
    index = opened.chosen(logits)
    climber = _Climber(anatomy, depth, mode, keep, rules)
    means = dict(zip(_readers(anatomy, depth), layers, strict=True))
    edges = climber.climb(means, index)
    maps = dict(zip(_sources(anatomy, depth), arrays, strict=True))
    kept = tuple(climber.kept(maps))
    sums = one_sums(anatomy, climber.layers)
    found = (index, mode, keep.threshold, depth, opened.size, kept, edges, sums)
    pyramid = Pyramid(*found, logits.reshape(-1))
    return ending_at(pyramid, end) if end else pyramid


def _levels(anatomy: Anatomy, end: End | None) -> int:
    """How deep a pyramid goes where nobody says it in levels."""
    if end is None:
        return min(DEPTH, anatomy.down_to(DEPTH).depth)
    return anatomy.as_far_as_known.levels[end.layer]


@compiled
def measure(network: TracedNetwork, depth: int) -> Callable[[Any, Any], Any]:
    """The one compiled pass, of variables and clip.

    It returns the logits; for the classifier and each layer that is stepped back through, means of
    its kernels and of what it convolves; and the activations that kernels are seen in.
    """
    anatomy = network.anatomy.down_to(depth)
    layers, sources = _readers(anatomy, depth), _sources(anatomy, depth)
    kernels = [layer.kernel for layer in layers]
    wanted = [anatomy.logits, *kernels, *(layer.data for layer in layers), *sources]

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
            found, own = self._found.setdefault(link.layer, {}), dict[int, float]()
            for channel, weight in kept.items():
                # Where a volume was flattened, a kernel makes several of the channels.
                for number in link.kernels(channel):
                    own[number] = max(own.get(number, 0.0), weight)
            for number, weight in own.items():
                most, count = found.get(number, (0.0, 0))
                found[number] = max(most, weight), count + parents
                edges.append(((link.layer.name, number), weight))
        return tuple(edges)

    @property
    def layers(self) -> list[Layer]:
        """Those of which something was kept, level by level."""
        found = [layer for layer, kernels in self._found.items() if kernels]
        return sorted(found, key=lambda layer: self._anatomy.levels[layer])

    def kept(self, arrays: Mapping[Any, np.ndarray]) -> Iterator[KeptLayer]:
        """The layers with what was kept of them, level by level."""
        for layer in self.layers:
            found, source = self._found[layer], self._anatomy.sources.get(layer)
            numbers = sorted(found)
            yield KeptLayer(
                layer.name,
                self._anatomy.levels[layer],
                np.array(numbers),
                np.array([found[number][0] for number in numbers], np.float32),
                np.array([found[number][1] for number in numbers]),
                source.maps(arrays[source.value], numbers) if source else None,
                layer.groups,
                layer.kernels,
            )

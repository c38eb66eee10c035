"""Finds the features of a network by the name of a layer."""

from __future__ import annotations

from collections.abc import Iterator

from vidjax.explain.layer import Features, Layer
from vidjax.explain.layer_graph import LayerGraph
from vidjax.settings import shown
from vidjax.untrusted_names import nearest


def features_at(graph: LayerGraph, layer: str | None = None) -> tuple[Features, ...]:
    """Returns a layer's features as the next layer reads them, after norm and activation function.

    Args:
      graph: layers of the network.
      layer: name of a layer, such as `layer3/block2/conv1`, or of a module, such as `layer3`, which
        stands for its last layer. None returns the features that are pooled for the classifier;
        there may be several sizes of them (SlowFast).

    Raises:
      ValueError: the layer does not exist, or its features have no location in space and time.
      UnknownPrimitiveError: tracing stopped at an unknown primitive before it reached the layer.
    """
    if layer is None:
        if not graph.pooled:
            raise ValueError(
                f"the classifier {graph.classifier.name!r} pools no features with a known "
                f"location in space and time: name a layer, such as {_example(graph)}"
            )
        return graph.pooled
    graph = graph.as_far_as_known
    return (graph.sources[layer_at(graph, layer)].features,)


def layer_at(graph: LayerGraph, layer: str) -> Layer:
    """Returns the layer of this name, or a module's last layer in space and time.

    Raises:
      ValueError: the layer does not exist, or its features have no location in space and time.
      UnknownPrimitiveError: tracing stopped at an unknown primitive before it reached the layer.
    """
    graph = graph.as_far_as_known
    inside = [own for own in graph.links if _belongs(own.name, layer)]
    if not inside and graph.unknown is not None:
        raise graph.unknown
    if not inside:
        raise ValueError(f"layer {shown(layer)} is unknown: {nearest(layer, [*_names(graph)])}")
    order = {step: number for number, step in enumerate(graph.program.operations)}
    for own in sorted(inside, key=lambda own: -order[own.operation]):
        if own in graph.sources:
            return own
    raise ValueError(
        f"layer {shown(layer)} comes after pooling: it has no location in space and time"
    )


def _belongs(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}/")


def _names(graph: LayerGraph) -> Iterator[str]:
    """Yields the names of layers in space and time, and of the modules that contain them."""
    known: dict[str, None] = {}
    for own in graph.sources:
        parts = own.name.split("/")
        known |= dict.fromkeys("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    yield from known


def _example(graph: LayerGraph) -> str:
    graph = graph.as_far_as_known
    layers: list[Layer] = [own for own in graph.links if own in graph.sources]
    return repr(layers[0].name) if layers else "none: no layer has a location in space and time"

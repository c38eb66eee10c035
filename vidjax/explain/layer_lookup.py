"""Finds the features of a network by the name of a layer."""

from __future__ import annotations

from collections.abc import Iterator

from vidjax.explain.layer import Features, Layer
from vidjax.explain.layer_graph import Anatomy
from vidjax.settings import shown
from vidjax.untrusted_names import nearest


def features_at(anatomy: Anatomy, layer: str | None = None) -> tuple[Features, ...]:
    """Returns a layer's features as the next layer reads them, after norm and activation function.

    Args:
      anatomy: the network.
      layer: name of a layer, such as `layer3/block2/conv1`, or of a module, such as `layer3`, which
        stands for its last layer. None returns the features that are pooled for the classifier;
        there may be several sizes of them (SlowFast).

    Raises:
      ValueError: the layer does not exist, or its features have no location in space and time.
      UnknownPrimitiveError: tracing stopped at an unknown primitive before it reached the layer.
    """
    if layer is None:
        if not anatomy.pooled:
            raise ValueError(
                f"the classifier {anatomy.classifier.name!r} pools no features with a known "
                f"location in space and time: name a layer, such as {_example(anatomy)}"
            )
        return anatomy.pooled
    anatomy = anatomy.as_far_as_known
    return (anatomy.sources[layer_at(anatomy, layer)].features,)


def layer_at(anatomy: Anatomy, layer: str) -> Layer:
    """Returns the layer of this name, or a module's last layer in space and time.

    Raises:
      ValueError: the layer does not exist, or its features have no location in space and time.
      UnknownPrimitiveError: tracing stopped at an unknown primitive before it reached the layer.
    """
    anatomy = anatomy.as_far_as_known
    inside = [own for own in anatomy.links if _belongs(own.name, layer)]
    if not inside and anatomy.unknown is not None:
        raise anatomy.unknown
    if not inside:
        raise ValueError(f"layer {shown(layer)} is unknown: {nearest(layer, [*_names(anatomy)])}")
    order = {step: number for number, step in enumerate(anatomy.program.operations)}
    for own in sorted(inside, key=lambda own: -order[own.operation]):
        if own in anatomy.sources:
            return own
    raise ValueError(
        f"layer {shown(layer)} comes after pooling: it has no location in space and time"
    )


def _belongs(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}/")


def _names(anatomy: Anatomy) -> Iterator[str]:
    """Yields the names of layers in space and time, and of the modules that contain them."""
    known: dict[str, None] = {}
    for own in anatomy.sources:
        parts = own.name.split("/")
        known |= dict.fromkeys("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    yield from known


def _example(anatomy: Anatomy) -> str:
    anatomy = anatomy.as_far_as_known
    layers: list[Layer] = [own for own in anatomy.links if own in anatomy.sources]
    return repr(layers[0].name) if layers else "none: no layer has a location in space and time"

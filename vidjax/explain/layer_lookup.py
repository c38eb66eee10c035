"""The features of a network that a map is drawn over, found by the name of a layer."""

from __future__ import annotations

from collections.abc import Iterator

from vidjax.explain.layer import Features, Layer
from vidjax.explain.layer_graph import Anatomy
from vidjax.settings import shown
from vidjax.untrusted_names import nearest


def features_at(anatomy: Anatomy, layer: str | None = None) -> tuple[Features, ...]:
    """The features that a layer makes, as the next layer reads them: norm and activation included.

    Args:
      anatomy: of a network.
      layer: name of a layer, such as `layer3/block2/conv1`, or of a module with layers, such as
        `layer3`, whose last one is taken. None is what is pooled for the classifier, which may be
        of several sizes (SlowFast).

    Raises:
      ValueError: there is no such layer, or its features are nowhere in space and time.
      UnknownPrimitiveError: what was read of the network ends at one, and has no such layer.
    """
    if layer is None:
        if not anatomy.pooled:
            raise ValueError(
                f"nothing is pooled for the classifier {anatomy.classifier.name!r} whose place in "
                f"space and time is known: name a layer, such as {_example(anatomy)}"
            )
        return anatomy.pooled
    anatomy = anatomy.as_far_as_known
    return (anatomy.sources[layer_at(anatomy, layer)].features,)


def layer_at(anatomy: Anatomy, layer: str) -> Layer:
    """The layer of a name, or the last one in space and time of the module of a name.

    Raises:
      ValueError: there is no such layer, or its features are nowhere in space and time.
      UnknownPrimitiveError: there is none before a primitive that is not known.
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
    raise ValueError(f"layer {shown(layer)} comes after pooling: it is nowhere in space and time")


def _belongs(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}/")


def _names(anatomy: Anatomy) -> Iterator[str]:
    """Names of layers that are in space and time, and of the modules that they are in."""
    known: dict[str, None] = {}
    for own in anatomy.sources:
        parts = own.name.split("/")
        known |= dict.fromkeys("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    yield from known


def _example(anatomy: Anatomy) -> str:
    anatomy = anatomy.as_far_as_known
    layers: list[Layer] = [own for own in anatomy.links if own in anatomy.sources]
    return repr(layers[0].name) if layers else "none: no layer is in space and time"

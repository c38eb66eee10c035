"""Saves Class Feature Pyramids as JSON. Lists of children that kernels share are stored once."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import numpy as np

from vidjax import records
from vidjax.explain.pyramid import KeptLayer, Pyramid
from vidjax.settings import shown

# No network has more kernels than Number allows, and no clip is longer or larger than Length.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Length = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
Weight = Annotated[float, msgspec.Meta(ge=-1e38, le=1e38)]


class _Kernel(msgspec.Struct):
    kernel: Number
    weight: Weight
    count: Number
    list: Number | None


class _Layer(msgspec.Struct):
    name: str
    level: Number
    kernels: list[_Kernel]
    groups: Length = 1
    total: Number = 0


class _Tree(msgspec.Struct):
    class_index: Number
    mode: records.Name
    threshold: Weight
    depth: Number
    clip: tuple[Length, Length, Length]
    lists: Annotated[list[list[tuple[str, Number, Weight]]], msgspec.Meta(min_length=1)]
    layers: list[_Layer]
    sums: list[list[str]] = []


def to_json(pyramid: Pyramid) -> str:
    """Returns a pyramid as JSON, without its activations.

    `lists` holds lists of children, each child as `[layer, kernel, weight]`; the first list is the
    class's. `layers` holds the kept kernels; `list` of a kernel is the number of its list of
    children.

    Raises:
      ValueError: the argument is not a pyramid.

    Examples:
      >>> import jax
      >>> from vidjax.explain import class_feature_pyramid, from_json, to_json
      >>> model = lambda weights, clip: (clip @ weights["conv"]).mean((1, 2, 3)) @ weights["head"]
      >>> weights = {"conv": jax.numpy.eye(3), "head": jax.numpy.eye(3)}
      >>> clip = jax.random.uniform(jax.random.key(0), (2, 4, 4, 3))
      >>> text = to_json(class_feature_pyramid(model, weights, clip, class_index=1))
      >>> pyramid = from_json(text)
      >>> pyramid.class_index, pyramid.layers[0].kernels.tolist()
      (1, [1])
    """
    if not isinstance(pyramid, Pyramid):
        raise ValueError(
            f"pyramid = {shown(pyramid)}: pass a pyramid that class_feature_pyramid returned"
        )
    lists = list({id(edges): edges for edges in pyramid.edges.values()}.values())
    numbers = {id(edges): number for number, edges in enumerate(lists)}
    text: dict[str, Any] = {
        "class_index": pyramid.class_index,
        "mode": pyramid.mode,
        "threshold": pyramid.threshold,
        "depth": pyramid.depth,
        "clip": list(pyramid.size),
        "lists": [[[*place, weight] for place, weight in edges] for edges in lists],
        "layers": [
            {
                "name": layer.name,
                "level": layer.level,
                "groups": layer.groups,
                "total": layer.total,
                "kernels": [
                    {
                        "kernel": int(kernel),
                        "weight": float(layer.weights[place]),
                        "count": int(layer.counts[place]),
                        "list": numbers.get(id(pyramid.edges.get((layer.name, int(kernel))))),
                    }
                    for place, kernel in enumerate(layer.kernels)
                ],
            }
            for layer in pyramid.layers
        ],
        "sums": [list(names) for names in pyramid.sums],
    }
    return json.dumps(text) + "\n"


def from_json(text: str) -> Pyramid:
    """Returns the pyramid that `to_json` wrote. It has no activations in space and time.

    Raises:
      ValueError: the text is not a pyramid in JSON.

    Examples:
      >>> from vidjax.explain import from_json
      >>> pyramid = '"class_index": 1, "mode": "layer", "threshold": 0.5, "depth": 1'
      >>> from_json("{" + pyramid + ', "clip": [2, 4, 4], "lists": [[]], "layers": []}').threshold
      0.5
    """
    if not isinstance(text, str):
        raise ValueError(f"text = {shown(text)}: pass the text that to_json returned")
    try:
        given = records.parsed(text, _Tree)
    except records.RecordError as error:
        raise ValueError(f"this JSON is not a class feature pyramid: {error}") from None
    lists = [
        tuple(((layer, kernel), weight) for layer, kernel, weight in edges) for edges in given.lists
    ]
    edges = {("", given.class_index): lists[0]}
    for layer in given.layers:
        for own in layer.kernels:
            if own.list is None:
                continue
            if own.list >= len(lists):
                raise ValueError(
                    f"this JSON is not a class feature pyramid: kernel {own.kernel} of "
                    f"{shown(layer.name)} has list {own.list} of {len(lists)}"
                )
            edges[layer.name, own.kernel] = lists[own.list]
    return Pyramid(
        class_index=given.class_index,
        mode=given.mode,
        threshold=given.threshold,
        depth=given.depth,
        size=given.clip,
        layers=tuple(map(_kept, given.layers)),
        edges=edges,
        sums=tuple(map(tuple, given.sums)),
    )


def _kept(layer: _Layer) -> KeptLayer:
    return KeptLayer(
        layer.name,
        layer.level,
        np.array([own.kernel for own in layer.kernels], int),
        np.array([own.weight for own in layer.kernels], np.float32),
        np.array([own.count for own in layer.kernels], int),
        groups=layer.groups,
        total=layer.total,
    )

"""Facts of the networks: the input they were published with, their size and their source."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn

from vidjax.settings import Kind


@dataclass(frozen=True)
class ModelCard:
    """What is known of a network.

    Attributes:
      name: as in `list_models`.
      clip: frames, height and width of its published input.
      frame_stride: distance of neighbouring frames of that input.
      mean: of the colours in [0, 1], subtracted.
      std: of the colours in [0, 1], divided by.
      paper: where the network is from.
      tables: the works' tables that it stands in, with the millions of parameters and the
        billions of operations printed there.
      params: parameters with 400 classes.
      macs: multiply-adds of one clip of size `clip`, convolutions and matrix products.
      notes: what is easily mistaken, and why printed numbers differ.
    """

    name: str
    clip: tuple[int, int, int]
    frame_stride: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    paper: str
    tables: tuple[str, ...]
    params: int
    macs: int
    notes: str = ""


@dataclass(frozen=True)
class Variant:
    """One network of a family: what a file in `vidjax/models` lists in its `VARIANTS`.

    Attributes:
      card: its facts.
      build: makes the module from `num_classes`, `dtype`, `slots` and the family's options.
      options: the options that `build` takes, and what each may be.
      methods: names of the methods that have a place in it; None is all.
      stages: numbers of the stages that methods have a place in.
      defaults: options that are on without being asked for.
      refused: of methods and options that have no place in it, why.
      depths: blocks of each stage; None where they cannot be chosen.
      block: what blocks are: `basic` or `bottleneck`.
    """

    card: ModelCard
    build: Callable[..., nn.Module]
    options: Mapping[str, Kind]
    methods: tuple[str, ...] | None = None
    stages: tuple[int, ...] = (1, 2, 3, 4)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    depths: tuple[int, ...] | None = None
    block: str = "bottleneck"


@dataclass(frozen=True)
class Family:
    """What the networks of one file share.

    Attributes:
      build: makes a module from `num_classes`, `dtype`, `slots`, a shape and options.
      options: what users may give, and what each may be.
      facts: fields of all cards.
      methods, stages, defaults, refused: as in `Variant`.
    """

    build: Callable[..., nn.Module]
    options: Mapping[str, Kind]
    facts: Mapping[str, Any]
    methods: tuple[str, ...] | None = None
    stages: tuple[int, ...] = (1, 2, 3, 4)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def variant(
        self,
        name: str,
        shape: Mapping[str, Any],
        params: int,
        macs: int,
        *tables: str,
        **facts: Any,
    ) -> Variant:
        """A network of the family: what `build` is given, its cost, and facts of its own."""
        fields = {**self.facts, **facts}
        card = ModelCard(name=name, tables=tables, params=params, macs=macs, **fields)
        build = functools.partial(self.build, **shape)
        return Variant(
            card,
            build,
            self.options,
            self.methods,
            self.stages,
            self.defaults,
            self.refused,
            shape.get("depths", shape.get("written")),
            shape.get("block", "bottleneck"),
        )

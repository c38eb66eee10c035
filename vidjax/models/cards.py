"""Facts of the networks: the input they were published with, their size and their source."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn

from vidjax.docstrings import settings_of
from vidjax.settings import Kind, Setting


@dataclass(frozen=True)
class ModelCard:
    """What is known of a network; `vidjax.options(name)` has its options.

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
      theta: from what share on a kernel is a part of a class feature pyramid, as the thesis' table
        7.1 has it for this network; 0.6 for networks that it does not have.
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
    theta: float = 0.6


@dataclass(frozen=True)
class Variant:
    """One network: what a module of networks lists in its tuple `VARIANTS`.

    The module is a file in `vidjax/models`, one that another package names in an entry point of
    the group `vidjax.models`, or one registered by `vidjax.plugins.register`. Its networks are
    made, listed, trained, explained and exported by their names like any other.

    A network is a flax module: `model.apply(variables, clip, train=False)` maps clips
    `[B, T, H, W, 3]` to logits float32 `[B, num_classes]`. `vidjax.models.interface` has
    `check_clip`, `make_head` and `classify`, which give the classifier its place (`head`) and sow
    `pre_logits`; sow `stem` and `stage1` to `stage4` too, so that others find them. `make_resnet`
    in `vidjax.models.resnet` makes residual networks, slots for all methods included.
    `CONTRIBUTING.md` has a whole one.

    Attributes:
      card: its facts.
      build: makes the module from `num_classes`, `dtype`, `slots` and the family's options.
        Defaults and meanings of options are read from its signature and docstring.
      options: the options that `build` takes, and what each may be.
      methods: names of the methods that have a place in it; None is all, and () is none, for a
        network that leaves `slots` alone.
      stages: numbers of the stages that methods have a place in.
      defaults: options that are on without being asked for.
      refused: of methods and options that have no place in it, why.
      depths: blocks of each stage; None where they cannot be chosen.
      block: what blocks are: `basic` or `bottleneck`.
      defined_in: functions and classes that `build` passes options on to, which have defaults and
        meanings of those that it does not name; `DEFINED_IN` of `vidjax.models.resnet` for
        residual networks.
      resolved: defaults that follow from other options, as they are while those are left alone.
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
    defined_in: tuple[Callable[..., Any], ...] = ()
    resolved: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Setting]:
        """Its own options, with what they may be, defaults and meanings."""
        build: Any = self.build
        fixed: dict[str, Any] = {}
        while isinstance(build, functools.partial):
            build, fixed = build.func, {**build.keywords, **fixed}
        found = settings_of(self.options, build, *self.defined_in)
        known = {**fixed, **self.resolved, **self.defaults}
        return {
            name: dataclasses.replace(setting, default=known.get(name, setting.default))
            for name, setting in found.items()
        }


@dataclass(frozen=True)
class Family:
    """What the networks of one file share.

    Attributes:
      build: makes a module from `num_classes`, `dtype`, `slots`, a shape and options.
      options: what users may give, and what each may be.
      facts: fields of all cards.
      methods, stages, defaults, refused, defined_in, resolved: as in `Variant`.
    """

    build: Callable[..., nn.Module]
    options: Mapping[str, Kind]
    facts: Mapping[str, Any]
    methods: tuple[str, ...] | None = None
    stages: tuple[int, ...] = (1, 2, 3, 4)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    defined_in: tuple[Callable[..., Any], ...] = ()
    resolved: Mapping[str, Any] = field(default_factory=dict)

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
            self.defined_in,
            self.resolved,
        )

"""Model cards: the input each network was published with, its size and its source."""

from __future__ import annotations

import dataclasses
import functools
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn

from vidjax.docstrings import settings_of
from vidjax.settings import Kind, Setting


@dataclass(frozen=True)
class ModelCard:
    """Facts of a network; `vidjax.options(name)` has its options. It prints as a list of them.

    Attributes:
      name: as in `list_models`.
      clip: frames, height and width of its published input.
      frame_stride: distance between neighbouring frames of that input, in frames of the video.
      mean: means of red, green and blue in [0, 1], which are subtracted from the clip.
      std: standard deviations of red, green and blue in [0, 1], by which the difference is divided.
      paper: the paper that introduced the network.
      tables: tables of the papers that list the network, with the millions of parameters and
        billions of operations printed there.
      params: number of parameters with 400 classes.
      macs: multiply-adds of one clip of size `clip`, for convolutions and matrix products.
      notes: common misunderstandings, and why printed numbers differ.
      theta: share from which a kernel belongs to a class feature pyramid, as in table 7.1 of the
        thesis; 0.6 for networks that the table does not list.
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

    def __str__(self) -> str:
        """Formats the card for reading, a fact per line."""
        mean, std = (", ".join(f"{value:.4g}" for value in each) for each in (self.mean, self.std))
        facts = {
            "paper": self.paper,
            "clip": f"{'x'.join(map(str, self.clip))}, stride {self.frame_stride}",
            "mean, std": f"({mean}), ({std}) of RGB in [0, 1]",
            "parameters": f"{self.params:,} with 400 classes",
            "multiply-adds": f"{self.macs / 1e9:.3f} G per clip",
            "printed (M params / G ops)": "; ".join(self.tables),
            "notes": self.notes,
        }
        lines = [
            textwrap.fill(f"{key}: {text}", 98, break_on_hyphens=False)
            for key, text in facts.items()
            if text
        ]
        return "\n".join([self.name, *(textwrap.indent(line, "  ") for line in lines)])


@dataclass(frozen=True)
class Variant:
    """One network: an entry of the tuple `VARIANTS` in a module of networks.

    The module is a file in `vidjax/models`, a module that another package names in an entry point
    of the group `vidjax.models`, or one registered by `vidjax.plugins.register`. Its networks can
    be created, listed, trained, explained and exported by name like any other.

    A network is a flax module: `model.apply(variables, clip, train=False)` maps clips `[B, T, H, W,
    3]` to logits float32 `[B, num_classes]`. `check_clip`, `make_head` and `classify` from
    `vidjax.models.interface` check the input, name the classifier `head` and sow `pre_logits`. The
    network should also sow `stem` and `stage1` to `stage4`, so that features can be extracted.
    `make_resnet` from `vidjax.models.resnet` makes residual networks with slots for all methods.
    `CONTRIBUTING.md` has a complete example.

    Attributes:
      card: the model card.
      build: makes the module from `num_classes`, `dtype`, `slots` and the family's options.
        Defaults and meanings of options are read from its signature and docstring.
      options: the options of `build`, with their allowed values.
      methods: names of the methods that the network supports. None means all, and () none, for a
        network that ignores `slots`.
      stages: numbers of the stages that methods can be inserted into.
      defaults: options that are on by default.
      refused: reasons why the network does not support a method or an option, by its name.
      depths: blocks of each stage; None if they cannot be chosen.
      block: kind of blocks: `basic` or `bottleneck`.
      defined_in: functions and classes to which `build` passes further options, and which define
        their defaults and meanings; `DEFINED_IN` of `vidjax.models.resnet` for residual networks.
      resolved: values of defaults that depend on other options, if none of those is set.
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
        """Returns the network's own options: allowed values, defaults and meanings."""
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
      options: options for users, with their allowed values.
      facts: fields that all model cards share.
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
        """Makes a network of the family from arguments of `build`, its cost and further facts."""
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

"""How a project names the tensors of its checkpoints, and where they stand in ours."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Options = Mapping[str, Any]
Colours = tuple[tuple[float, float, float], tuple[float, float, float]]
Path = tuple[str, ...]

IMAGENET: Colours = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
RUNNING = {"running_mean": "mean", "running_var": "var"}
# What PyTorch's recurrent layers, counted from 0, call their parameters.
RECURRENT = re.compile(r"(?P<kind>weight|bias)_(?P<side>ih|hh)_l(?P<layer>\d+)")
SIDES = {"ih": "input/{kind}", "hh": "recurrent_{kind}"}
IGNORED = "num_batches_tracked"


@dataclass(frozen=True)
class Layout:
    """The names of one project's checkpoints.

    Attributes:
      name: the project, and the kind of network where it has several.
      rules: pairs of a pattern, that a PyTorch module's whole name must match, and our module's
        path. In the path `{name}` is a group of the pattern; the group `index` counts from 0 in
        PyTorch and from 1 in ours. What follows a colon is the name of a parameter that is
        neither a kernel nor a norm's.
      networks: from patterns of our names to the options to try, in this order, where the
        project's network is not our default.
      colours: from patterns of our names to mean and std of the colours in [0, 1], where they
        are not those of the card.
    """

    name: str
    rules: tuple[tuple[str, str], ...]
    networks: Mapping[str, tuple[Options, ...]]
    colours: Mapping[str, Colours] | None = None

    def options(self, network: str) -> tuple[Options, ...]:
        """Options to try for a network; empty if the project has no such network."""
        return _lookup(self.networks, network) or ()

    def colours_of(self, network: str) -> Colours | None:
        """Mean and standard deviation of the colours, if not those of the card."""
        return _lookup(self.colours or {}, network)

    def places(self, keys: Iterable[str]) -> dict[str, Path]:
        """Where each tensor belongs: collection and path; without those that no rule matches."""
        keys = set(keys)
        places = {}
        for key in keys:
            module, dot, leaf = key.rpartition(".")
            # A variable of TensorFlow that is not of a layer has no dot.
            module, leaf = (module, leaf) if dot else (key, "weight")
            path = self._module(module)
            if path is not None and leaf != IGNORED:
                places[key] = _place(path, leaf, is_norm=f"{module}.running_mean" in keys)
        return places

    def _module(self, module: str) -> str | None:
        for pattern, template in self.rules:
            if match := re.fullmatch(pattern, module):
                groups = match.groupdict()
                if "index" in groups:
                    groups["index"] = str(int(groups["index"]) + 1)
                return template.format_map(groups)
        return None


def _place(path: str, leaf: str, *, is_norm: bool) -> Path:
    module, _, own = path.partition(":")
    parts = tuple(module.split("/"))
    if leaf in RUNNING:
        return ("batch_stats", *parts, RUNNING[leaf])
    if recurrent := RECURRENT.fullmatch(leaf):
        kind = "kernel" if recurrent["kind"] == "weight" else "bias"
        side = SIDES[recurrent["side"]].format(kind=kind)
        return ("params", *parts, f"layer{int(recurrent['layer']) + 1}", *side.split("/"))
    # Norms by groups of channels keep no statistics.
    weight = "scale" if is_norm or parts[-1].startswith("norm") else "kernel"
    return ("params", *parts, own or (weight if leaf == "weight" else leaf))


def _lookup(table: Mapping[str, Any], network: str) -> Any:
    for pattern, value in table.items():
        if fnmatch.fnmatchcase(network, pattern):
            return value
    return None

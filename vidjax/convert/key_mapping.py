"""How a project names the tensors of its checkpoints, and where they stand in ours."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vidjax.convert.input_normalization import Colours
from vidjax.convert.torch_pickles import CheckpointError

Options = Mapping[str, Any]
Path = tuple[str, ...]

RUNNING = {"running_mean": "mean", "running_var": "var"}
# What PyTorch's recurrent layers, counted from 0, call their parameters.
RECURRENT = re.compile(r"(?P<kind>weight|bias)_(?P<side>ih|hh)_l(?P<layer>\d+)")
SIDES = {"ih": "input/{kind}", "hh": "recurrent_{kind}"}
IGNORED = "num_batches_tracked"


class Mark(NamedTuple):
    """What in the names of a file tells networks apart whose tensors are the same.

    Attributes:
      part: pattern that is looked for in all keys.
      there: whether a file of this network has it.
      otherwise: what a file is where that is not so, and what to do, as the end of an error.
    """

    part: str
    there: bool
    otherwise: str


class Unsaid(NamedTuple):
    """An option that changes what a network computes, and that no name or shape in a file tells.

    Attributes:
      option: its name.
      why: what is taken if nobody says it, and what published files have.
    """

    option: str
    why: str


class Seen(NamedTuple):
    """Colours of a project's files.

    Attributes:
      networks: pattern of our names.
      options: that the file's form of the network has, among others.
      colours: of published files, the most frequent first.
    """

    networks: str
    options: Options
    colours: tuple[Colours, ...]


def seen(networks: str, *colours: Colours, **options: Any) -> Seen:
    """A row of `Layout.colours`."""
    return Seen(networks, options, colours)


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
      colours: rows that are tried in this order, where colours are not those of the card.
      marks: from patterns of our names to what tells such a network from another.
      unsaid: from patterns of our names to what a user must say.
    """

    name: str
    rules: tuple[tuple[str, str], ...]
    networks: Mapping[str, tuple[Options, ...]]
    colours: tuple[Seen, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unsaid: Mapping[str, Unsaid] = field(default_factory=dict)

    def options(self, network: str) -> tuple[Options, ...]:
        """Options to try for a network; empty if the project has no such network."""
        return _lookup(self.networks, network) or ()

    def colours_of(self, network: str, options: Options) -> tuple[Colours, ...]:
        """Colours of the published files of a network; empty is those of the card."""
        for row in self.colours:
            named = fnmatch.fnmatchcase(network, row.networks)
            if named and all(options.get(key) == value for key, value in row.options.items()):
                return row.colours
        return ()

    def check(self, network: str, keys: Iterable[str]) -> None:
        """Refuses a file of another network whose tensors would fit.

        Raises:
          CheckpointError: says what it is.
        """
        mark: Mark | None = _lookup(self.marks, network)
        if mark and any(re.search(mark.part, key) for key in keys) != mark.there:
            raise CheckpointError(f"this is no file of {network}, but {mark.otherwise}")

    def untold(self, network: str) -> Unsaid | None:
        """What no file says of a network."""
        found: Unsaid | None = _lookup(self.unsaid, network)
        return found

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

"""Maps the tensor names of a project's checkpoints to the paths of our variables."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.torch_pickles import CheckpointError

Options = Mapping[str, Any]
Path = tuple[str, ...]

RUNNING = {"running_mean": "mean", "running_var": "var"}
# Parameter names of PyTorch's recurrent layers, which are counted from 0.
RECURRENT = re.compile(r"(?P<kind>weight|bias)_(?P<side>ih|hh)_l(?P<layer>\d+)")
SIDES = {"ih": "input/{kind}", "hh": "recurrent_{kind}"}
IGNORED = "num_batches_tracked"


class KeyMarker(NamedTuple):
    """A pattern in the keys of a file that distinguishes networks with the same tensors.

    Attributes:
      part: regular expression that is searched in all keys.
      there: whether a file of this network contains it.
      otherwise: end of the error message if it does not: what the file is instead, and what to do.
    """

    part: str
    there: bool
    otherwise: str


class UnstatedOption(NamedTuple):
    """An option that changes what a network computes but leaves no trace in a file.

    Attributes:
      option: name of the option.
      why: text with the value that is used unless the user sets it, and that of published files.
    """

    option: str
    why: str


class KnownNormalization(NamedTuple):
    """Input normalisations of a project's files.

    Attributes:
      networks: pattern of our network names.
      options: options that the file's variant of the network must have.
      colours: normalisations of the published files, the most frequent first.
    """

    networks: str
    options: Options
    colours: tuple[Normalization, ...]


def known_normalization(
    networks: str, *colours: Normalization, **options: Any
) -> KnownNormalization:
    """Makes a row of `Layout.colours`."""
    return KnownNormalization(networks, options, colours)


@dataclass(frozen=True)
class Layout:
    """The naming rules of one project's checkpoints.

    Attributes:
      name: the project, and the kind of network if it has several.
      rules: pairs of a pattern and a path. The pattern must match the whole name of a PyTorch
        module; the path is that of our module. `{name}` in the path refers to a group of the
        pattern; the group `index` counts from 0 in PyTorch and from 1 here. After a colon comes the
        name of a parameter that is neither a kernel nor a norm's.
      networks: from patterns of our names to the options to try, in this order, for projects whose
        network differs from our default.
      colours: rows to try in this order, for networks whose normalisation differs from the card's.
      marks: from patterns of our names to the mark that identifies the network.
      unstated_options: from patterns of our names to an option that the user must set.
    """

    name: str
    rules: tuple[tuple[str, str], ...]
    networks: Mapping[str, tuple[Options, ...]]
    colours: tuple[KnownNormalization, ...] = ()
    marks: Mapping[str, KeyMarker] = field(default_factory=dict)
    unstated_options: Mapping[str, UnstatedOption] = field(default_factory=dict)

    def options(self, network: str) -> tuple[Options, ...]:
        """Returns the options to try for a network; empty if the project does not have it."""
        return _lookup(self.networks, network) or ()

    def colours_of(self, network: str, options: Options) -> tuple[Normalization, ...]:
        """Returns the normalisations of published files of a network; empty means the card's."""
        for row in self.colours:
            named = fnmatch.fnmatchcase(network, row.networks)
            if named and all(options.get(key) == value for key, value in row.options.items()):
                return row.colours
        return ()

    def check(self, network: str, keys: Iterable[str]) -> None:
        """Refuses a file of another network whose tensors would fit.

        Raises:
          CheckpointError: names the network that the file belongs to.
        """
        mark: KeyMarker | None = _lookup(self.marks, network)
        if mark and any(re.search(mark.part, key) for key in keys) != mark.there:
            raise CheckpointError(f"this is not a file of {network}, but {mark.otherwise}")

    def unstated_option(self, network: str) -> UnstatedOption | None:
        """Returns the option of a network that no file states, or None."""
        found: UnstatedOption | None = _lookup(self.unstated_options, network)
        return found

    def places(self, keys: Iterable[str]) -> dict[str, Path]:
        """Returns collection and path of each tensor; tensors that match no rule are left out."""
        keys = set(keys)
        places = {}
        for key in keys:
            module, dot, leaf = key.rpartition(".")
            # TensorFlow variables that belong to no layer have no dot.
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
    # Group norms keep no running statistics.
    weight = "scale" if is_norm or parts[-1].startswith("norm") else "kernel"
    return ("params", *parts, own or (weight if leaf == "weight" else leaf))


def _lookup(table: Mapping[str, Any], network: str) -> Any:
    for pattern, value in table.items():
        if fnmatch.fnmatchcase(network, pattern):
            return value
    return None

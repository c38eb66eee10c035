"""Groups the runs of a network that differ only in their seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from vidjax.explain.tables import distinct_parts
from vidjax.run.config import Config


@dataclass(frozen=True)
class Member:
    """A run, as far as grouping needs it.

    Attributes:
      config: its configuration.
      also: what runs of one network must share besides their configuration.
    """

    config: Config
    also: Hashable = None

    @property
    def kind(self) -> tuple[str, Hashable]:
        """What the runs of one network share: all but the seed and the folder of the videos."""
        data = dataclasses.replace(self.config.data, data_dir="")
        return str(dataclasses.replace(self.config, seed=0, data=data)), self.also


def networks(members: Mapping[str, Member]) -> dict[str, list[str]]:
    """Returns the names of the runs of each network.

    Runs with the same seed are networks of their own: they do not show how much seeds matter. The
    name of a network is that of its model, or of its first run if two networks have one model.

    Args:
      members: the runs by name.
    """
    kinds: dict[tuple[str, Hashable], list[str]] = {}
    for name, member in members.items():
        kinds.setdefault(member.kind, []).append(name)
    groups = [part for runs in kinds.values() for part in _with_distinct_seeds(runs, members)]
    names = [members[runs[0]].config.model.name for runs in groups]
    if len(set(names)) < len(names):
        names = distinct_parts([runs[0] for runs in groups])
    return dict(zip(names, groups, strict=True))


def _with_distinct_seeds(runs: list[str], members: Mapping[str, Member]) -> list[list[str]]:
    seeds = {members[run].config.seed for run in runs}
    return [runs] if len(seeds) == len(runs) else [[run] for run in runs]

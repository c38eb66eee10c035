"""A row as a work prints it, with what builds its network and what trains it here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ml_collections import ConfigDict

from vidjax import configs

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Network:
    """A network and the clip that its operations are counted for.

    Attributes:
      name: as in `vidjax.list_models`.
      frames: of the clip.
      size: height and width of the clip, pixels.
      options: of the network.
      classes: of its classifier. The works' numbers are met with 400, whatever the data set.
    """

    name: str
    frames: int
    size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 400

    @property
    def clip(self) -> str:
        """Such as `16x224x224`."""
        return f"{self.frames}x{self.size}x{self.size}"


@dataclass(frozen=True)
class Contingency:
    """Who has how many videos right, as table 6.6 prints it.

    Attributes:
      both: videos that both have right.
      first: those that only the network without the method has right.
      second: those that only the network with it has right.
      neither: the others.
      statistic: chi-squared, as printed.
      p: as printed.
    """

    both: int
    first: int
    second: int
    neither: int
    statistic: float
    p: float


@dataclass(frozen=True)
class Printed:
    """A row of a table. All numbers are the work's own; None where it prints none.

    Attributes:
      label: as printed.
      top1: in percent.
      top5: in percent.
      operations: 1e9 of one view.
      views: clips times crops of a test.
      params: millions of parameters.
      name: of the row's folder; the label in plain letters if it is empty.
      network: what is counted; None where nothing here builds it, and `why` says so.
      config: what trains the row, such as `srtg:model=r3d_34_e1`; empty where the work took the
        number from elsewhere.
      changes: settings that differ from the configuration's, by path.
      dataset: that it is trained and tested on.
      against: name of the row that it is compared with, if not the table's reference.
      facts: further columns, as printed.
      test: the contingency table that is printed in the row.
      why: where our counts differ from the printed ones by more than 2 %, or there are none.
    """

    label: str
    top1: float | None = None
    top5: float | None = None
    operations: float | None = None
    views: int | str = ""
    params: float | None = None
    name: str = ""
    network: Network | None = None
    config: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""
    against: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    test: Contingency | None = None
    why: str = ""

    @property
    def folder(self) -> str:
        """Name of the row in plans and of its folder."""
        return self.name or re.sub(r"\W+", "_", self.label.lower()).strip("_")

    def bare(self) -> Printed:
        """The row without scores and printed counts, for a table that has neither."""
        return replace(
            self, top1=None, top5=None, operations=None, params=None, views="", facts={}, why=""
        )

    def recipe(self) -> ConfigDict:
        """The complete configuration of its runs, but for the seed.

        Raises:
          ValueError: the configuration refuses its arguments.
        """
        name, argument = configs.parted(self.config)
        config = configs.load(name)(argument or None)
        for path, value in self.changes.items():
            *groups, last = path.split(".")
            group = config
            for each in groups:
                group = group[each]
            group[last] = value
        return config

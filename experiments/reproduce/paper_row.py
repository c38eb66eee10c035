"""A row of a paper's table, with the network and the configuration that reproduce it."""

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
      name: name of the network, one of `vidjax.list_models()`.
      frames: number of frames of the clip.
      size: height and width of the clip in pixels.
      options: options of the network.
      classes: number of classes. The papers' counts agree with 400, whatever the data set.
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
    """A contingency table of McNemar's test, from table 6.6 of the thesis.

    Attributes:
      both: number of videos that both networks have right.
      first: number that only the network without the method has right.
      second: number that only the network with the method has right.
      neither: number that neither has right.
      statistic: printed chi-squared.
      p: printed p-value.
    """

    both: int
    first: int
    second: int
    neither: int
    statistic: float
    p: float


@dataclass(frozen=True)
class PaperRow:
    """A row of a paper's table. All numbers are the paper's; None if it prints none.

    Attributes:
      label: label in the paper.
      top1: top-1 in percent.
      top5: top-5 in percent.
      operations: operations of one view, in 1e9.
      views: number of views in the test: clips times crops.
      params: parameters in millions.
      name: name of the row's folder; if empty, the label in plain letters.
      network: network to count; None if no network here builds it, and `why` says so.
      config: configuration that trains the row, such as `srtg:model=r3d_34_e1`; empty if the paper
        took the number from elsewhere.
      changes: changed settings of the configuration, by path.
      dataset: data set for training and testing.
      against: name of the row to compare with, if it is not the table's reference.
      facts: further columns of the paper.
      test: contingency table in the row.
      why: why our counts differ from the printed ones by more than 2 %, or are missing.
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
        """Name of the row in plans, and of its folder."""
        return self.name or re.sub(r"\W+", "_", self.label.lower()).strip("_")

    def bare(self) -> PaperRow:
        """Returns the row without scores and counts, for a table that prints neither."""
        return replace(
            self, top1=None, top5=None, operations=None, params=None, views="", facts={}, why=""
        )

    def recipe(self) -> ConfigDict:
        """Returns the complete configuration of its runs, without the seed.

        Raises:
          ValueError: the configuration refuses its arguments.
        """
        name, argument = configs.split_argument(self.config)
        config = configs.load(name)(argument or None)
        for path, value in self.changes.items():
            *groups, last = path.split(".")
            group = config
            for each in groups:
                group = group[each]
            group[last] = value
        return config

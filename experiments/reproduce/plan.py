"""The plan of a table: all of its runs, stored before the first one starts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from vidjax import records
from vidjax.run.config import from_mapping, to_mapping

from ..runs import plan_file, run
from .contrasts import Contrast, planned
from .data_sets import located
from .table import Row, Table
from .tuning import Choice, read_choices

_WAY_OUT = "Name another --output; all rows of a table must have the same plan"


class _Plan(plan_file.Planned):
    """The checked parts of a plan; the rest is only compared."""

    table: records.Name
    scale: records.Name


@dataclass(frozen=True)
class Run(run.Run):
    """A training run: a row with a seed on a data set.

    Attributes:
      dataset: name of the data set.
      row: name of the row.
      begins: name of the row whose network it begins from; see `Row`.
    """

    dataset: str
    row: str
    begins: str = ""
    part_of: ClassVar[str] = "reproduction"

    @property
    def name(self) -> str:
        """Such as `jhmdb/rms/seed0`."""
        return f"{self.dataset}/{self.row}/seed{self.seed}"

    @property
    def also_scored(self) -> tuple[str, ...]:
        """The training split, for the generalisation gap."""
        return (self.config.data.train_split,)


@dataclass(frozen=True)
class Plan:
    """A table at a scale.

    Attributes:
      table: the table.
      scale: `smoke`, `small` or `paper`.
      folder: folder of the table, its plan and its runs.
      runs: the runs, in the order in which they start: one seed of every row first, so that runs
        share compiled programs and half a table compares all rows.
      chosen: what tuning chose, by data set and row; empty if the table was not tuned.
    """

    table: Table
    scale: str
    folder: Path
    runs: tuple[Run, ...]
    chosen: Mapping[str, Mapping[str, Choice]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, table: Table, scale: str, datasets: Sequence[str], output: Path, data_dir: Path
    ) -> Plan:
        """Makes the plan of a table on some data sets.

        Args:
          table: the table.
          scale: a scale of the table.
          datasets: names of data sets of the scale.
          output: folder of all tables.
          data_dir: folder of prepared data sets.

        Raises:
          ValueError: videos are absent, or a configuration is not valid.
        """
        folder, setups = table.folder(scale, output), table.at(scale)
        chosen = read_choices(folder)
        seeds = dict.fromkeys(seed for name in datasets for seed in setups[name].seeds)
        runs = []
        for seed, name in itertools.product(seeds, datasets):
            for row in table.rows_on(scale, name) if seed in setups[name].seeds else ():
                config = setups[name].config(row.name)
                config.seed = seed
                config = located(config, name, output, data_dir)
                if choice := chosen.get(name, {}).get(row.name):
                    config.optimizer.lr = choice.rate
                    config.train.duration = choice.duration
                if row.begins:
                    config.model.weights = str(folder / name / row.begins / f"seed{seed}")
                workdir = folder / name / row.name / f"seed{seed}"
                runs.append(Run(seed, workdir, from_mapping(config), name, row.name, row.begins))
        return cls(table, scale, folder, tuple(runs), chosen)

    @property
    def name(self) -> str:
        """Such as `rms.2-small`."""
        return self.folder.name

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return tuple(dict.fromkeys(run.dataset for run in self.runs))

    def rows(self, dataset: str) -> tuple[Row, ...]:
        """Returns the rows on a data set, in order."""
        return self.table.rows_on(self.scale, dataset)

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The contrasts on these data sets; the primary one comes first.

        Raises:
          ValueError: a contrast names a row that is not trained on its data set.
        """
        table = self.table
        rows = {
            name: [(row.name, row.against or table.reference) for row in self.rows(name)]
            for name in self.datasets
        }
        named = (table.primary, *table.contrasts) if table.primary else table.contrasts
        return planned(named, rows)

    @property
    def primary(self) -> Contrast | None:
        """The primary contrast; None if the table has none, or not on these data sets."""
        return self.table.primary if self.table.primary in self.contrasts else None

    def write_down(self) -> None:
        """Writes `plan.json`, or checks that an existing one is the same.

        Raises:
          ValueError: the folder has another plan; the message says what differs.
        """
        plan_file.write_down(self.folder / "plan.json", self._mapping(), _WAY_OUT)

    def _mapping(self) -> dict[str, Any]:
        return {
            "table": self.table.name,
            "scale": self.scale,
            "rows": {name: [asdict(row) for row in self.rows(name)] for name in self.datasets},
            "reference": self.table.reference,
            "primary": self.primary and self.primary.name,
            "contrasts": {each.name: asdict(each) for each in self.contrasts},
            "tuned": msgspec.to_builtins(self.chosen),
            "runs": {run.name: to_mapping(run.config) for run in self.runs},
        }


def read_plan(file: Path) -> dict[str, Any]:
    """Reads a plan.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    return plan_file.read(file, _Plan, "move it away, or name another --output")

"""The plan of a table: all its runs, written down before the first of them starts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.run.config import Config, from_mapping, to_mapping
from vidjax.run.workdir import environment
from vidjax.writing import make_folder, write_text

from . import source
from .table import Table
from .videos import locate

# Known afterwards, or of no effect on a result: not compared when a plan is taken up again.
_NOT_COMPARED = ("git_commit", "platform", "paper")


class _Plan(msgspec.Struct):
    """What a plan has, beside what is only compared."""

    table: records.Name
    scale: records.Name
    runs: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """One training run: a row with a seed on a data set.

    Attributes:
      dataset: name of the data set.
      row: name of the row.
      seed: of initialisation, batches and noise.
      workdir: the run's directory.
      config: its configuration.
    """

    dataset: str
    row: str
    seed: int
    workdir: Path
    config: Config

    @property
    def name(self) -> str:
        """Such as `jhmdb/rms/seed0`."""
        return f"{self.dataset}/{self.row}/seed{self.seed}"

    @property
    def record(self) -> Path:
        """File that says how the run ended."""
        return self.workdir.with_name(f"{self.workdir.name}.json")

    @property
    def log(self) -> Path:
        """File of what the run printed."""
        return self.workdir.with_name(f"{self.workdir.name}.log")


@dataclass(frozen=True)
class Plan:
    """A table at a scale.

    Attributes:
      table: the table.
      scale: `smoke`, `small` or `paper`.
      folder: of the table, its plan and its runs.
      runs: in the order in which they are started: a seed of every row before the next seed, so
        that what is compiled for one serves the others, and that half a table compares all rows.
    """

    table: Table
    scale: str
    folder: Path
    runs: tuple[Run, ...]

    @classmethod
    def of(
        cls, table: Table, scale: str, datasets: Sequence[str], output: Path, data_dir: Path
    ) -> Plan:
        """The plan of a table on some of the scale's data sets.

        Args:
          table: the table.
          scale: one that it has.
          datasets: names of data sets that the scale has.
          output: folder of all tables.
          data_dir: where prepared data sets are kept.

        Raises:
          ValueError: videos are absent, or a configuration is not valid.
        """
        folder = output / f"{table.name}-{scale}"
        setups = table.setups[scale]
        seeds = dict.fromkeys(seed for name in datasets for seed in setups[name].seeds)
        runs = []
        for seed, name, row in itertools.product(seeds, datasets, table.rows):
            if seed in setups[name].seeds:
                config = setups[name].config(row.name)
                config.seed = seed
                config.data.data_dir = str(data_dir)
                config.data.update(locate(name, config, output))
                workdir = folder / name / row.name / f"seed{seed}"
                runs.append(Run(name, row.name, seed, workdir, from_mapping(config)))
        return cls(table, scale, folder, tuple(runs))

    @property
    def name(self) -> str:
        """Such as `rms.2-small`."""
        return self.folder.name

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return tuple(dict.fromkeys(run.dataset for run in self.runs))

    def write_down(self) -> None:
        """Writes `plan.json`, or checks that it says the same.

        Raises:
          ValueError: the folder holds another plan; says what differs.
        """
        mapping = json.loads(json.dumps(self._mapping()))
        file = self.folder / "plan.json"
        if file.is_file():
            differing = list(_differences(read_plan(file), mapping))
            if differing:
                raise ValueError(
                    f"{file} is another plan: {'; '.join(differing[:3])}"
                    f"{' and more' if len(differing) > 3 else ''}. Name another --output; rows of "
                    "one table must be run under one plan"
                )
            return
        make_folder(self.folder)
        write_text(file, json.dumps(mapping, indent=2) + "\n")

    def _mapping(self) -> dict[str, Any]:
        return {
            "table": self.table.name,
            "scale": self.scale,
            "rows": [asdict(row) for row in self.table.rows],
            "reference": self.table.reference,
            "runs": {run.name: to_mapping(run.config) for run in self.runs},
            "code": source.digest(),
            "environment": environment(),
        }


def read_plan(file: Path) -> dict[str, Any]:
    """A plan that was written down.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    return records.read_mapping(file, "move it away, or name another --output", _Plan)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new} - {*_NOT_COMPARED}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif old != new:
        yield f"{path} is {_short(old)} there, {_short(new)} here"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The plan of a sweep: every combination of settings with every seed, one directory per run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidjax import records
from vidjax.run.config import to_mapping
from vidjax.run.setting_ranges import LARGEST_SEED

from ..runs import plan_file, run
from ..runs.scheduler import is_finished
from .combination import Combination

MOST_RUNS = 10_000
_FILE = "plan.json"
_WAY_OUT = "Name another --workdir; all runs of a sweep must have the same plan"
# Files that the owner of a folder may leave before the plan exists.
_BEFORE = (".lock", ".lock-owner.json")


class _Plan(plan_file.Planned):
    """The checked parts of a sweep's plan; the rest is only compared."""

    split: records.Name


@dataclass(frozen=True)
class Run(run.Run):
    """A combination trained with one seed.

    Attributes:
      combination: the settings.
    """

    combination: Combination
    part_of: ClassVar[str] = "sweep"

    @property
    def name(self) -> str:
        """Such as `lr=0.1,train.batch_size=8/seed0`."""
        return f"{self.combination.folder}/seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
      folder: folder of the plan, the runs and the tables.
      combinations: the combinations.
      seeds: number of seeds, from the configuration's seed on.
      varied: the varied settings with their values; they identify the plan.
    """

    folder: Path
    combinations: Sequence[Combination]
    seeds: int
    varied: Mapping[str, Any]

    @property
    def runs(self) -> list[Run]:
        """All runs: one seed of every combination first, so that half a sweep compares all."""
        return [
            self._run(each, number) for number in range(self.seeds) for each in self.combinations
        ]

    def of(self, combination: Combination) -> list[Run]:
        """Returns the runs of a combination."""
        return [self._run(combination, number) for number in range(self.seeds)]

    def _run(self, combination: Combination, number: int) -> Run:
        seed = combination.config.seed + number
        config = dataclasses.replace(combination.config, seed=seed)
        workdir = self.folder / combination.folder / f"seed{seed}"
        return Run(seed, workdir, config, combination)

    @property
    def unfinished(self) -> list[Run]:
        """The runs that are not finished."""
        return [each for each in self.runs if not is_finished(each)]

    def check(self) -> None:
        """Refuses a plan that cannot be run; writes nothing.

        Raises:
          ValueError: there are too many runs, a seed is too large, or the folder has another plan
            or other files.
        """
        count = len(self.combinations) * self.seeds
        if count > MOST_RUNS:
            raise ValueError(f"the sweep has {count} runs; at most {MOST_RUNS} are allowed")
        if any(each.config.seed + self.seeds - 1 > LARGEST_SEED for each in self.combinations):
            raise ValueError(f"the seeds exceed {LARGEST_SEED}; start with a smaller seed")
        there = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        if _FILE in there:
            # If a plan exists, this only compares.
            self.write_down()
        elif set(there) - {*_BEFORE}:
            raise ValueError(
                f"{self.folder} is not empty and has no {_FILE}; name another --workdir"
            )

    def write_down(self) -> None:
        """Writes `plan.json`, or checks that an existing one is the same.

        Raises:
          ValueError: the folder has another plan; the message says what differs.
        """
        runs = {run.name: to_mapping(run.config) for run in self.runs}
        plan = {**self.varied, "runs": runs}
        plan_file.write_down(self.folder / _FILE, plan, _WAY_OUT)


def planned_split(folder: Path) -> str | None:
    """Returns the split that a folder's plan evaluates; None if there is no plan yet.

    Raises:
      RecordError: the plan is damaged.
    """
    file = folder / _FILE
    if not file.is_file():
        return None
    return str(plan_file.read(file, _Plan, "move it away, or name another --workdir")["split"])

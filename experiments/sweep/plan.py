"""The runs of a sweep: every combination of settings with every seed, in a directory of its own."""

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
_WAY_OUT = "Name another --workdir; the runs of one sweep must be made under one plan"
# What an owner leaves in a folder before the plan is there.
_BEFORE = (".lock", ".lock-owner.json")


class _Plan(plan_file.Planned):
    """What the plan of a sweep has, beside what is only compared."""

    split: records.Name


@dataclass(frozen=True)
class Run(run.Run):
    """A combination with a seed.

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
      folder: of the plan, the runs and the tables.
      combinations: that are tried.
      seeds: how many of each, from the configuration's own one on.
      varied: what is varied and how, which tells this plan from others.
    """

    folder: Path
    combinations: Sequence[Combination]
    seeds: int
    varied: Mapping[str, Any]

    @property
    def runs(self) -> list[Run]:
        """A seed of every combination before the next seed, so that half a sweep compares all."""
        return [
            self._run(each, number) for number in range(self.seeds) for each in self.combinations
        ]

    def of(self, combination: Combination) -> list[Run]:
        """The runs of a combination."""
        return [self._run(combination, number) for number in range(self.seeds)]

    def _run(self, combination: Combination, number: int) -> Run:
        seed = combination.config.seed + number
        config = dataclasses.replace(combination.config, seed=seed)
        workdir = self.folder / combination.folder / f"seed{seed}"
        return Run(seed, workdir, config, combination)

    @property
    def unfinished(self) -> list[Run]:
        """The runs that are not done."""
        return [each for each in self.runs if not is_finished(each)]

    def check(self) -> None:
        """Refuses a plan that cannot be carried out; writes nothing.

        Raises:
          ValueError: there are too many runs or too large seeds, or the folder holds another plan
            or other things.
        """
        count = len(self.combinations) * self.seeds
        if count > MOST_RUNS:
            raise ValueError(f"the sweep has {count} runs; at most {MOST_RUNS} are made")
        if any(each.config.seed + self.seeds - 1 > LARGEST_SEED for each in self.combinations):
            raise ValueError(f"the seeds go beyond {LARGEST_SEED}; begin with a smaller one")
        there = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        if _FILE in there:
            # Nothing is written where a plan is.
            self.write_down()
        elif set(there) - {*_BEFORE}:
            raise ValueError(
                f"{self.folder} is not empty and holds no {_FILE}; name another --workdir"
            )

    def write_down(self) -> None:
        """Writes `plan.json`, or checks that it says the same.

        Raises:
          ValueError: the folder holds another plan; says what differs.
        """
        runs = {run.name: to_mapping(run.config) for run in self.runs}
        plan = {**self.varied, "runs": runs}
        plan_file.write_down(self.folder / _FILE, plan, _WAY_OUT)


def planned_split(folder: Path) -> str | None:
    """The split that the plan in a folder is scored on; None where there is no plan yet.

    Raises:
      RecordError: the plan is damaged.
    """
    file = folder / _FILE
    if not file.is_file():
        return None
    return str(plan_file.read(file, _Plan, "move it away, or name another --workdir")["split"])

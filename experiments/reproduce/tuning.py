"""Tunes the learning rate and duration of each row of a table on the validation videos.

All rows have the same grid, and therefore the same budget. The trials have a seed that no table
uses, and never use a test video. `tuning.csv` lists them. `tuning.json` holds the choices, which
the table's runs use.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from vidjax import records
from vidjax.evaluation.report import read_scores
from vidjax.run.config import from_mapping, to_mapping

from ..runs import csv_table, plan_file, run
from ..runs.worker import read_record
from .data_sets import located
from .table import Table, Tuning

VALIDATION = "val"
FOLDER, CHOICES = "tuning", "tuning.json"
_WAY_OUT = "Name another --output; all rows of a table must be tuned alike"


class Choice(msgspec.Struct, frozen=True):
    """The settings with which a row scored best on the validation videos.

    Attributes:
      rate: learning rate.
      duration: duration of the training, such as `60 epochs`.
      top1: top-1 on the validation videos.
    """

    rate: records.Amount
    duration: records.Name
    top1: records.Share


class _Choices(msgspec.Struct):
    """The file with the choices: data set, then row."""

    seed: records.Count
    chosen: dict[str, dict[str, Choice]]


@dataclass(frozen=True)
class Trial(run.Run):
    """A training run that tries a learning rate and a duration for a row.

    Attributes:
      dataset: name of the data set.
      row: name of the row.
      rate: learning rate.
      duration: duration of the training.
    """

    dataset: str
    row: str
    rate: float
    duration: str
    part_of: ClassVar[str] = "tuning"

    @property
    def name(self) -> str:
        """Such as `tuning/marionette/rms/rate0.05-60_epochs`."""
        return f"{FOLDER}/{self.dataset}/{self.row}/{self.workdir.name}"


def trials(
    table: Table, scale: str, datasets: Sequence[str], output: Path, data_dir: Path
) -> tuple[Trial, ...]:
    """Plans the trials of a table; arguments as in `Plan.of`.

    Raises:
      ValueError: a data set has no grid, videos are absent, or a configuration is not valid.
    """
    found = []
    for dataset in datasets:
        setup = table.at(scale)[dataset]
        if setup.tuning is None:
            raise ValueError(f"--tune: {table.name} has no grid for {dataset} at scale {scale}")
        grid = itertools.product(setup.tuning.rates, setup.tuning.durations)
        for (rate, duration), row in itertools.product(grid, table.rows_on(scale, dataset)):
            config = setup.config(row.name)
            config.seed = setup.tuning.seed
            config = located(config, dataset, output, data_dir)
            config.optimizer.lr, config.train.duration = rate, duration
            config.eval.split = VALIDATION
            place = table.folder(scale, output) / FOLDER / dataset / row.name
            workdir = place / f"rate{rate:g}-{duration.replace(' ', '_')}"
            settings = from_mapping(config)
            found.append(Trial(config.seed, workdir, settings, dataset, row.name, rate, duration))
    return tuple(found)


def write_down(table: Table, scale: str, output: Path, planned: Sequence[Trial]) -> None:
    """Writes the plan of the trials, or checks that an existing one is the same.

    Raises:
      ValueError: the folder has another plan; the message says what differs.
    """
    mapping = {
        "table": table.name,
        "scale": scale,
        "runs": {each.name: to_mapping(each.config) for each in planned},
    }
    file = table.folder(scale, output) / FOLDER / "plan.json"
    plan_file.write_down(file, mapping, _WAY_OUT)


def choose(folder: Path, finished: Sequence[Trial]) -> dict[str, dict[str, Choice]]:
    """Chooses the best trial of each row by top-1, and writes `tuning.csv` and `tuning.json`.

    The first of equally good trials is taken. A trial that failed, for example because its loss was
    not finite, is never taken.

    Args:
      folder: folder of the table.
      finished: all trials, each of which has finished or failed.

    Raises:
      ValueError: all trials of a row failed.
    """
    scored = [(each, _top1(each)) for each in finished]
    csv_table.write(folder / "tuning.csv", (_line(each, top1) for each, top1 in scored))
    chosen: dict[str, dict[str, Choice]] = {}
    for trial, top1 in scored:
        known = chosen.setdefault(trial.dataset, {})
        best = known.get(trial.row)
        if top1 is not None and (best is None or top1 > best.top1):
            known[trial.row] = Choice(trial.rate, trial.duration, top1)
    for trial in finished:
        if trial.row not in chosen[trial.dataset]:
            raise ValueError(
                f"all trials of {trial.row} on {trial.dataset} failed; see {trial.log}"
            )
    records.write(folder / CHOICES, {"seed": finished[0].seed, "chosen": _plain(chosen)})
    return chosen


def read_choices(folder: Path) -> dict[str, dict[str, Choice]]:
    """Reads the choices by data set and row; empty if the table was not tuned.

    Raises:
      RecordError: the file is damaged.
    """
    file = folder / CHOICES
    way_out = "remove it and start the command with --tune again"
    return records.read(file, _Choices, way_out).chosen if file.is_file() else {}


def in_words(grid: Tuning | None, chosen: Mapping[str, Choice]) -> str:
    """Describes how the rows were tuned, for the table; empty if the data set has no grid."""
    if grid is None:
        return ""
    if not chosen:
        return "The rows have the same learning rate and length: they were not tuned (--tune)."
    rates, lengths = ", ".join(f"{rate:g}" for rate in grid.rates), ", ".join(grid.durations)
    rows = "; ".join(f"{row} {each.rate:g}, {each.duration}" for row, each in chosen.items())
    return (
        f"Each row was tuned on the validation videos alone, with seed {grid.seed}, over the "
        f"rates {rates} and the lengths {lengths}. Chosen: {rows}."
    )


def _plain(chosen: dict[str, dict[str, Choice]]) -> Any:
    return msgspec.to_builtins(chosen)


def _top1(trial: Trial) -> float | None:
    """Returns top-1 on the validation videos; None if the trial is not finished."""
    record = read_record(trial.record)
    if record.get("state") != "finished":
        return None
    reports = (trial.workdir / "eval").glob(f"{VALIDATION}-*-step{record['step']}.json")
    return read_scores(next(reports)).top1


def _line(trial: Trial, top1: float | None) -> dict[str, Any]:
    record = read_record(trial.record)
    return {
        "dataset": trial.dataset,
        "row": trial.row,
        "rate": trial.rate,
        "duration": trial.duration,
        "seed": trial.seed,
        "state": record.get("state", "not started"),
        "validation_top1": top1,
        "seconds": record.get("seconds"),
        "error": record.get("error", ""),
    }

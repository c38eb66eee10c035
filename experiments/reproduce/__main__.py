"""Runs tables of the papers anew: every row with every seed on every data set.

Each run has its own directory under OUTPUT/TABLE-SCALE, and the table is written there as
table.md, table.csv, runs.csv and figure.png. `plan.json` is written before anything runs. The same
command takes up what was interrupted; finished runs are not repeated, failed ones are tried again.

Examples:
  vidjax reproduce --table=rms.2 --scale=smoke
  vidjax reproduce --table=rms.2,cr.6.4 --scale=small --output=runs/reproduce
  vidjax reproduce --table=rms.2 --scale=paper

Exit codes: 0 done, 1 a run failed, 2 something given does not fit, 75 stopped, to be taken up.
"""

from __future__ import annotations

import datetime
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from vidjax.data.workers import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.run.experiment import Experiment
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.training.preemption import EXIT_CODE

from .. import command_line
from ..runs.execution import execute, is_finished
from ..runs.machine import default_workers, hardware
from .plan import Plan
from .report import note_start, write_report
from .table import SCALES, Table, find_tables
from .videos import AbsentError, locate

_TABLE = flags.DEFINE_list("table", None, "which, such as rms.2; several with commas")
_SCALE = flags.DEFINE_enum("scale", "small", SCALES, "the budget")
_DATASETS = flags.DEFINE_list("datasets", None, "some of the scale's; all of them if not given")
_OUTPUT = flags.DEFINE_string("output", "runs/reproduce", "where plans, runs and tables are kept")
_DATA = flags.DEFINE_string("data_dir", "data", "where prepared videos are kept")
_WORKERS = flags.DEFINE_integer("workers", None, "runs at a time", 1, MOST_WORKERS)
flags.mark_flag_as_required("table")


def main() -> int:
    """Plans, prepares, runs and reports."""
    # This process asks for the devices' names and leaves their memory to the runs.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    plans = [_plan(table) for table in find_tables(_TABLE.value)]
    for plan in plans:
        plan.write_down()
    try:
        with ProgressLine() as progress:
            _prepare(plans, progress)
            for plan in plans:
                _reproduce(plan, progress)
    except KeyboardInterrupt:
        say("stopped; the same command goes on")
        return EXIT_CODE
    return 0 if all(is_finished(run) for plan in plans for run in plan.runs) else 1


def _plan(table: Table) -> Plan:
    output = as_path(_OUTPUT.value)
    data_dir = as_path(_DATA.value)
    return Plan.of(table, _SCALE.value, _datasets(table, output), output, data_dir)


def _datasets(table: Table, output: Path) -> list[str]:
    """The data sets asked for; if none is, those of the scale that are here."""
    setups = table.setups[_SCALE.value]
    for name in _DATASETS.value or ():
        if name not in setups:
            raise ValueError(
                f"{table.name} at scale {_SCALE.value} has no data set {name!r}: it has "
                f"{', '.join(setups)}"
            )
    if _DATASETS.value:
        return _DATASETS.value
    absent = {name: _absence(name, setups[name].config(table.reference), output) for name in setups}
    if all(absent.values()):
        raise AbsentError("; ".join(absent.values()))
    for reason in filter(None, absent.values()):
        say(f"{table.name} goes without {reason}")
    return [name for name, reason in absent.items() if not reason]


def _absence(name: str, config: ConfigDict, output: Path) -> str:
    """Why a data set cannot be had; empty if it can."""
    try:
        locate(name, config, output)
    except AbsentError as error:
        return str(error)
    return ""


def _prepare(plans: Sequence[Plan], progress: ProgressLine) -> None:
    """Prepares each data set before several processes would do so at once."""
    for plan in plans:
        for name in plan.datasets:
            config = next(run.config for run in plan.runs if run.dataset == name)
            Experiment.open(config, progress.count)


def _reproduce(plan: Plan, progress: ProgressLine) -> None:
    start = time.monotonic()
    workers = _WORKERS.value or default_workers()
    begun = {
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "command": shlex.join(["python", "-m", "experiments.reproduce", *sys.argv[1:]]),
        "hardware": hardware(),
        "workers": workers,
    }
    if not all(is_finished(run) for run in plan.runs):
        try:
            cache = as_path(_OUTPUT.value) / "compiled"
            execute(plan.runs, workers, cache, lambda text: progress.show(f"{plan.name}: {text}"))
        finally:
            note_start(plan, begun | {"seconds": time.monotonic() - start})
    progress.note(str(write_report(plan)))


if __name__ == "__main__":
    command_line.run(main, __doc__)

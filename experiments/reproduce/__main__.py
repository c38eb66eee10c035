"""Reproduces tables of the papers: trains every row with every seed on every data set.

Each run has its own directory under OUTPUT/TABLE-SCALE, where table.md, table.csv, runs.csv and
pictures are written. `plan.json`, which names the rows that are compared, is written before the
first run starts. The same command continues where it was interrupted: finished runs are not
repeated, failed runs are tried again.

--tune chooses learning rate and length of each row on the validation videos, with a seed that the
table does not use; start it first, for tables that have a grid. --hours fits a table to a budget:
it measures one run, and then leaves out whole seeds of all rows, and rows only if three seeds of
all rows do not fit.

--list shows the tables with their data sets, the hours that they take, and whether videos and
weights are on this machine. --analytical trains nothing: it prints the papers' numbers beside our
parameters and multiply-adds, as Markdown.

Examples:
  vidjax reproduce --list
  vidjax reproduce --table=4.2,6.4 --analytical
  vidjax reproduce --table=all --analytical > docs/tables.md
  vidjax reproduce --table=rms.2 --scale=smoke
  vidjax reproduce --table=rms.2 --scale=small --output=runs/reproduce
  vidjax reproduce --table=evidence.rms --tune
  vidjax reproduce --table=evidence.rms --hours=6
  vidjax reproduce --table=rms.2 --scale=paper

Exit codes: 0 if done, 1 if a run failed, 2 if a flag is wrong, 75 if it was stopped and the same
command continues.
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

from vidjax.data.process_pool import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.run.experiment import Experiment
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.training.preemption import EXIT_CODE

from .. import command_line, help_text
from ..runs import start_log
from ..runs.machine import default_workers, hardware
from ..runs.scheduler import execute, is_finished
from . import budget, tuning
from .analytical import Counter, page
from .data_sets import AbsentError, absence
from .listing import print_list
from .plan import Plan, Run
from .report import write_report
from .table import ALL, SCALES, Table, find_tables
from .tuning import Trial

_TABLE = flags.DEFINE_list(
    "table", None, "TABLE,...: Tables, such as rms.2; `all` stands for all of them."
)
_LIST = flags.DEFINE_bool(
    "list", False, "Lists the tables, or those of --table, and trains nothing."
)
_ANALYTICAL = flags.DEFINE_bool(
    "analytical", False, "Counts parameters and multiply-adds, and trains nothing."
)
_TFLOPS = flags.DEFINE_float(
    "tflops",
    100.0,
    "For --list: TFLOP/s that a device achieves in practice.",
    lower_bound=1e-3,
)
_SCALE = flags.DEFINE_enum(
    "scale",
    "small",
    SCALES,
    "Size of the runs: smoke takes minutes, small takes minutes to hours on two cores, gpu takes "
    "hours on a GPU, and paper has the settings of the papers.",
)
_DATASETS = flags.DEFINE_list(
    "datasets", None, "NAME,...: Data sets of the scale. By default all that are on this machine."
)
_OUTPUT = flags.DEFINE_string(
    "output", "runs/reproduce", "FOLDER: Folder for plans, runs and tables."
)
_DATA = flags.DEFINE_string("data_dir", "data", "FOLDER: Folder for prepared data sets.")
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Number of runs at a time. By default one per core, or one on accelerators.",
    1,
    MOST_WORKERS,
)
_TUNE = flags.DEFINE_bool(
    "tune", False, "Tunes each row on the validation videos, and does not train the table."
)
_HOURS = flags.DEFINE_float(
    "hours",
    None,
    "Hours for each table, including its finished runs. Seeds and rows that take longer are left "
    "out and named.",
    lower_bound=0.01,
)
help_text.group("Tables", _TABLE, _LIST, _ANALYTICAL, _TFLOPS)
help_text.group("Runs", _SCALE, _DATASETS, _OUTPUT, _DATA, _WORKERS, _TUNE, _HOURS)
# Flags that need runs.
_OF_RUNS = ("scale", "datasets", "output", "data_dir", "workers", "tune", "hours")


def main() -> int:
    """Plans, prepares, runs and reports; or lists or counts."""
    _refuse_without_effect()
    if _LIST.value:
        print_list(find_tables(_TABLE.value or [ALL]), _TFLOPS.value)
        return 0
    if not _TABLE.value:
        raise ValueError("--table is missing: name a table, such as 4.2, or all; --list shows them")
    if _ANALYTICAL.value:
        _count(find_tables(_TABLE.value))
        return 0
    return _run(find_tables(_TABLE.value))


def _refuse_without_effect() -> None:
    """Refuses flags without effect.

    Raises:
      ValueError: a flag has no effect; the message names it.
    """
    given = [name for name in (*_OF_RUNS, "tflops") if flags.FLAGS[name].present]
    if _LIST.value and _ANALYTICAL.value:
        raise ValueError("--list and --analytical exclude each other; leave one out")
    nothing = "--list" if _LIST.value else "--analytical" if _ANALYTICAL.value else ""
    for name in given:
        if nothing and name in _OF_RUNS:
            raise ValueError(f"--{name} has no effect with {nothing}, which trains nothing")
        if name == "tflops" and not _LIST.value:
            raise ValueError("--tflops has no effect without --list")
    if _TUNE.value and _HOURS.present:
        raise ValueError("--hours has no effect with --tune, which trains the whole grid")


def _count(tables: Sequence[Table]) -> None:
    """Prints the tables with our counts beside the papers'.

    Raises:
      ValueError: a table has no printed rows.
    """
    command = shlex.join(["vidjax", "reproduce", *sys.argv[1:]])
    made = f"Made by `{command}` on {hardware()}, {datetime.date.today()}."
    bare = [table.name for table in tables if not table.printed]
    if bare and [*_TABLE.value] != [ALL]:
        raise ValueError(f"--table={bare[0]} has no rows of a paper to count: leave it out")
    with ProgressLine() as progress:
        for section in page(tables, made, Counter(progress.show)):
            say(*section.split("\n"))


def _run(tables: Sequence[Table]) -> int:
    """Plans, prepares, runs and reports."""
    # This process only lists the devices and leaves their memory to the runs.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    try:
        with ProgressLine() as progress:
            return (_tune if _TUNE.value else _train)(tables, progress)
    except KeyboardInterrupt:
        say("stopped; the same command continues")
        return EXIT_CODE


def _tune(tables: Sequence[Table], progress: ProgressLine) -> int:
    """Trains the trials of all tables, and writes what was chosen."""
    scale, output = _SCALE.value, as_path(_OUTPUT.value)
    every = []
    for table in tables:
        found = tuning.trials(table, scale, _datasets(table), output, as_path(_DATA.value))
        tuning.write_down(table, scale, output, found)
        every.append(found)
    _prepare([trial for found in every for trial in found], progress)
    for table, found in zip(tables, every, strict=True):
        folder = table.folder(scale, output)
        _execute(found, folder / tuning.FOLDER, f"{folder.name}, tuning", progress)
        tuning.choose(folder, found)
        progress.note(str(folder / tuning.CHOICES))
    return 0


def _train(tables: Sequence[Table], progress: ProgressLine) -> int:
    """Trains and reports all tables."""
    plans = [_plan(table) for table in tables]
    for plan in plans:
        plan.write_down()
    _prepare([run for plan in plans for run in plan.runs], progress)
    complete = [_reproduce(plan, progress) for plan in plans]
    return 0 if all(complete) else 1


def _plan(table: Table) -> Plan:
    output = as_path(_OUTPUT.value)
    data_dir = as_path(_DATA.value)
    return Plan.of(table, _SCALE.value, _datasets(table), output, data_dir)


def _datasets(table: Table) -> list[str]:
    """Returns the data sets of --datasets, or those of the scale that are on this machine."""
    setups = table.at(_SCALE.value)
    for name in _DATASETS.value or ():
        if name not in setups:
            raise ValueError(
                f"{table.name} at scale {_SCALE.value} has no data set {name!r}; it has "
                f"{', '.join(setups)}"
            )
    if _DATASETS.value:
        return _DATASETS.value
    absent = {name: absence(name, _first(table, name)) for name in setups}
    if all(absent.values()):
        raise AbsentError("; ".join(absent.values()))
    for reason in filter(None, absent.values()):
        say(f"{table.name} leaves out {reason}")
    return [name for name, reason in absent.items() if not reason]


def _first(table: Table, dataset: str) -> ConfigDict:
    """Returns the configuration of the first row on a data set."""
    first = table.rows_on(_SCALE.value, dataset)[0]
    return table.at(_SCALE.value)[dataset].config(first.name)


def _prepare(runs: Sequence[Run | Trial], progress: ProgressLine) -> None:
    """Prepares each data set, so that several processes do not do it at once."""
    for data in {str(run.config.data): run for run in runs}.values():
        Experiment.open(data.config, progress.count)


def _reproduce(plan: Plan, progress: ProgressLine) -> bool:
    """Trains and reports a table; returns whether all runs within --hours are finished."""
    runs: Sequence[Run] = plan.runs
    if _HOURS.value is not None:
        _execute(budget.pilot(plan), plan.folder, f"{plan.name}, first runs", progress)
        within = budget.fit(plan, _HOURS.value, _workers())
        progress.note(within.in_words(plan))
        runs = [run for run in plan.runs if within.has(run)]
    # Rows that begin from the network of another row wait for it.
    for later in (False, True):
        part = [run for run in runs if bool(run.begins) == later]
        _execute(part, plan.folder, plan.name, progress)
    progress.note(str(write_report(plan)))
    return all(is_finished(run) for run in runs)


def _execute(runs: Sequence[Run | Trial], folder: Path, name: str, progress: ProgressLine) -> None:
    """Trains the unfinished ones of some runs, and adds an entry to the start log of a folder."""
    if all(is_finished(run) for run in runs):
        return
    start = time.monotonic()
    begun = {
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "command": shlex.join(["python", "-m", "experiments.reproduce", *sys.argv[1:]]),
        "hardware": hardware(),
        "workers": _workers(),
    }
    try:
        cache = as_path(_OUTPUT.value) / "compiled"
        execute(runs, _workers(), cache, lambda text: progress.show(f"{name}: {text}"))
    finally:
        start_log.note(folder, begun | {"seconds": time.monotonic() - start})


def _workers() -> int:
    return _WORKERS.value or default_workers()


if __name__ == "__main__":
    command_line.run(main, __doc__)

"""Runs tables of the papers anew: every row with every seed on every data set.

Each run has its own directory under OUTPUT/TABLE-SCALE, and the table is written there as
table.md, table.csv, runs.csv and figure.png. `plan.json` is written before anything runs. The same
command takes up what was interrupted; finished runs are not repeated, failed ones are tried again.

--list shows the tables with their data sets, the hours that they take and what is at hand.
--analytical runs nothing: it prints what a work prints, with our parameters and multiply-adds
beside it, as Markdown.

Examples:
  vidjax reproduce --list
  vidjax reproduce --table=4.2,6.4 --analytical
  vidjax reproduce --table=all --analytical > docs/tables.md
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

from absl import flags
from ml_collections import ConfigDict

from vidjax.data.process_pool import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.run.experiment import Experiment
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.training.preemption import EXIT_CODE

from .. import command_line
from ..runs.machine import default_workers, hardware
from ..runs.scheduler import execute, is_finished
from .analytical import Counter, page
from .data_sets import AbsentError, absence
from .listing import print_list
from .plan import Plan
from .report import note_start, write_report
from .table import ALL, SCALES, Table, find_tables

_TABLE = flags.DEFINE_list("table", None, "which, such as rms.2; several with commas; or all")
_LIST = flags.DEFINE_bool("list", False, "list the tables, or those of --table, and run nothing")
_ANALYTICAL = flags.DEFINE_bool("analytical", False, "count instead of running")
_TFLOPS = flags.DEFINE_float(
    "tflops", 100.0, "--list: 1e12 operations a second that a device really does", lower_bound=1e-3
)
_SCALE = flags.DEFINE_enum("scale", "small", SCALES, "the budget")
_DATASETS = flags.DEFINE_list("datasets", None, "some of the scale's; all of them if not given")
_OUTPUT = flags.DEFINE_string("output", "runs/reproduce", "where plans, runs and tables are kept")
_DATA = flags.DEFINE_string("data_dir", "data", "where prepared videos are kept")
_WORKERS = flags.DEFINE_integer("workers", None, "runs at a time", 1, MOST_WORKERS)
# Settings of runs, and of what runs nothing.
_OF_RUNS = ("scale", "datasets", "output", "data_dir", "workers")


def main() -> int:
    """Plans, prepares, runs and reports; or lists or counts."""
    _refuse_without_effect()
    if _LIST.value:
        print_list(find_tables(_TABLE.value or [ALL]), _TFLOPS.value)
        return 0
    if not _TABLE.value:
        raise ValueError("--table must have a value, such as 4.2, or all; --list shows them")
    if _ANALYTICAL.value:
        _count(find_tables(_TABLE.value))
        return 0
    return _run(find_tables(_TABLE.value))


def _refuse_without_effect() -> None:
    """Refuses what would change nothing.

    Raises:
      ValueError: names the flag.
    """
    given = [name for name in (*_OF_RUNS, "tflops") if flags.FLAGS[name].present]
    if _LIST.value and _ANALYTICAL.value:
        raise ValueError("both --list and --analytical: say one")
    nothing = "--list" if _LIST.value else "--analytical" if _ANALYTICAL.value else ""
    for name in given:
        if nothing and name in _OF_RUNS:
            raise ValueError(f"--{name} has no effect with {nothing}, which runs nothing")
        if name == "tflops" and not _LIST.value:
            raise ValueError("--tflops has an effect with --list alone")


def _count(tables: Sequence[Table]) -> None:
    """Prints the tables with our counts.

    Raises:
      ValueError: a table has no printed rows.
    """
    command = shlex.join(["vidjax", "reproduce", *sys.argv[1:]])
    made = f"Made by `{command}` on {hardware()}, {datetime.date.today()}."
    bare = [table.name for table in tables if not table.printed]
    if bare and [*_TABLE.value] != [ALL]:
        raise ValueError(f"--table={bare[0]} has no printed rows to count: leave it out")
    with ProgressLine() as progress:
        for section in page(tables, made, Counter(progress.show)):
            say(*section.split("\n"))


def _run(tables: Sequence[Table]) -> int:
    """Plans, prepares, runs and reports."""
    # This process asks for the devices' names and leaves their memory to the runs.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    plans = [_plan(table) for table in tables]
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
    return Plan.of(table, _SCALE.value, _datasets(table), output, data_dir)


def _datasets(table: Table) -> list[str]:
    """The data sets asked for; if none is, those of the scale that are here."""
    setups = table.at(_SCALE.value)
    for name in _DATASETS.value or ():
        if name not in setups:
            raise ValueError(
                f"{table.name} at scale {_SCALE.value} has no data set {name!r}: it has "
                f"{', '.join(setups)}"
            )
    if _DATASETS.value:
        return _DATASETS.value
    absent = {name: absence(name, _first(table, name)) for name in setups}
    if all(absent.values()):
        raise AbsentError("; ".join(absent.values()))
    for reason in filter(None, absent.values()):
        say(f"{table.name} goes without {reason}")
    return [name for name, reason in absent.items() if not reason]


def _first(table: Table, dataset: str) -> ConfigDict:
    """The configuration of the first row on a data set."""
    first = table.rows_on(_SCALE.value, dataset)[0]
    return table.at(_SCALE.value)[dataset].config(first.name)


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

r"""Trains a configuration with many combinations of settings and seeds, and ranks them.

It trains every combination of the --grid values with every seed. Each run has its own directory
under --workdir, where table.md, table.csv, runs.csv and figure.png are written. The values of
--list settings are combined in order: all first values, then all second values. The same command
continues where it was interrupted: finished runs are not repeated, failed runs are tried again.

The combinations are compared on the split `val` if the data set has one. A choice that is made on
the test split makes the test score too good.

With --optuna=N, Optuna chooses N combinations from --search instead of a grid. log:0.001:0.3 and
0.0:0.5 are ranges, int:2:8 is a range of whole numbers, and a,b,c is a choice.

Examples:
  vidjax sweep --config=folder --config.data.manifest=videos.csv --workdir=runs/sweep \
      --grid optimizer.lr=0.1,0.03 --grid train.batch_size=8,16 --seeds=3
  vidjax sweep --config=demo --workdir=runs/pairs --list "clip.frames=8,16 clip.stride=4,2"
  vidjax sweep --config=demo --workdir=runs/tuned --optuna=20 --search optimizer.lr=log:0.003:0.3

Exit codes: 0 if done, 1 if a run failed, 2 if a flag or a setting is wrong, 75 if it was stopped
and the same command continues.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from vidjax.data.process_pool import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.run.config import Config, from_mapping, to_mapping
from vidjax.run.network import Network
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path
from vidjax.terminal import complain, say, table
from vidjax.training.preemption import EXIT_CODE

from .. import command_line, help_text
from . import optuna_search, optuna_study
from .axes import combinations, read_axes
from .combination import Combination, combined
from .execution import carry_out, check, noting
from .metric import CHECKPOINTS, Metric
from .optuna_space import Space, read_space
from .plan import Plan, planned_split
from .report import shown, table_of, write_report
from .results import Summary
from .validation import VALIDATION, caution, choose_split

_CONFIG = command_line.config_file()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "FOLDER: Folder for the plan, the runs and the tables."
)
_GRID = flags.DEFINE_multi_string(
    "grid", [], "SETTING=VALUE,...: Setting with the values to try, such as optimizer.lr=0.1,0.03."
)
_LIST = flags.DEFINE_multi_string(
    "list", [], "SETTING=VALUE,...: Like --grid, but all --list settings change together."
)
_OPTUNA = flags.DEFINE_integer("optuna", None, "Number of combinations that Optuna chooses.", 1)
_SEARCH = flags.DEFINE_multi_string(
    "search", [], "SETTING=RANGE: What --optuna may try, such as optimizer.lr=log:0.001:0.3."
)
_SEEDS = flags.DEFINE_integer("seeds", 1, "Number of runs of each combination, one per seed.", 1)
_SPLIT = flags.DEFINE_string(
    "split", None, "SPLIT: Split to compare on. By default `val` if the data set has it."
)
_METRIC = flags.DEFINE_string("metric", "top1", "METRIC: Metric of the evaluation to compare.")
_CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "last", CHECKPOINTS, "Which evaluation of a run counts."
)
_WORKERS = flags.DEFINE_integer("workers", 1, "Number of runs at a time.", 1, MOST_WORKERS)
help_text.group("Sweep", _WORKDIR, _GRID, _LIST, _SEEDS, _WORKERS)
help_text.group("Search by Optuna", _OPTUNA, _SEARCH)
help_text.group("Comparison", _SPLIT, _METRIC, _CHECKPOINT)
flags.mark_flags_as_required(["config", "workdir"])
# Rows that are printed; table.md has all.
_SHOWN = 10


def main(*more: str) -> int:
    """Plans, trains and reports."""
    # This process only lists the devices and leaves their memory to the runs.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    folder = as_path(_WORKDIR.value)
    with ProgressLine() as progress:
        try:
            sweep = _tuned if _OPTUNA.value or _SEARCH.value else _grid
            plan, metric, paths = sweep(folder, more, progress)
        except KeyboardInterrupt:
            say("stopped; the same command continues")
            return EXIT_CODE
        summaries = write_report(plan, metric, paths)
    _show(summaries, metric, folder)
    return 1 if plan.unfinished else 0


Swept = tuple[Plan, Metric, Sequence[str]]


def _grid(folder: Path, more: Sequence[str], progress: ProgressLine) -> Swept:
    """Trains every combination of values."""
    if more and _LIST.value:
        raise ValueError(
            f"{more[0]!r} belongs to no flag; write --grid or --list before each setting"
        )
    axes = read_axes([*_GRID.value, *more], _LIST.value)
    if not axes:
        raise ValueError(
            "no setting is varied; name one with --grid, such as --grid optimizer.lr=0.1,0.03"
        )
    paths = [path for axis in axes for path in axis.paths]
    _refuse_given(paths)
    base, settings = _CONFIG.value, combinations(axes)
    # Errors that need no data come before data are prepared.
    combined(base, settings, base.eval.split)
    split = _split(base, folder, progress)
    plan = _plan(folder, split, {"axes": [list(map(dict, axis.choices)) for axis in axes]})
    plan = dataclasses.replace(plan, combinations=combined(base, settings, split))
    plan.check()
    metric = _metric(plan.combinations[0].config)
    if plan.unfinished:
        check(plan.combinations, progress)
    total, left = len(plan.runs), len(plan.unfinished)
    say(
        f"{_counted(total, 'run')}: {_counted(len(plan.combinations), 'combination')} with "
        f"{_counted(plan.seeds, 'seed')}. Finished: {total - left}. At a time: {_WORKERS.value}. "
        f"In {folder}"
    )
    with owned(folder, advice="wait until it has ended, or name another --workdir"):
        plan.write_down()
        if left:
            with noting(folder, _WORKERS.value):
                carry_out(plan.runs, folder, _WORKERS.value, metric, progress)
    return plan, metric, paths


def _tuned(folder: Path, more: Sequence[str], progress: ProgressLine) -> Swept:
    """Trains combinations that Optuna chooses."""
    if more or _GRID.value or _LIST.value:
        raise ValueError("--optuna chooses from --search; leave out --grid and --list")
    if not (_OPTUNA.value and _SEARCH.value):
        raise ValueError(
            "--optuna=N and --search go together, such as --search optimizer.lr=log:0.001:0.3"
        )
    space, base = read_space(_SEARCH.value), _CONFIG.value
    _refuse_given(list(space))
    optuna_study.load()
    optuna_search.corners(base, space, base.eval.split)
    split = _split(base, folder, progress)
    corners = optuna_search.corners(base, space, split)
    metric = _metric(corners[0].config)
    plan = _plan(folder, split, _searched(space, corners, metric))
    plan.check()
    check(corners, progress)
    say(
        f"{_counted(_OPTUNA.value * plan.seeds, 'run')}: {_counted(_OPTUNA.value, 'trial')} with "
        f"{_counted(plan.seeds, 'seed')}. At a time: {_WORKERS.value}. In {folder}"
    )
    with owned(folder, advice="wait until it has ended, or name another --workdir"):
        plan.write_down()
        with noting(folder, _WORKERS.value):
            plan = optuna_search.tune(
                plan,
                base,
                space,
                trials=_OPTUNA.value,
                split=split,
                workers=_WORKERS.value,
                metric=metric,
                progress=progress,
            )
    return plan, metric, list(space)


def _searched(space: Space, corners: Sequence[Combination], metric: Metric) -> dict[str, Any]:
    """Returns what identifies the plan of a search; more trials may be added later."""
    return {
        "search": optuna_search.varied(space),
        "metric": [metric.name, metric.checkpoint],
        "corners": [to_mapping(each.config) for each in corners],
    }


def _plan(folder: Path, split: str, varied: dict[str, Any]) -> Plan:
    """Returns a plan whose combinations are not known yet."""
    seeds = _SEEDS.value
    if split != VALIDATION:
        complain(f"warning: {caution(split)}")
    return Plan(folder, (), seeds, {**varied, "seeds": seeds, "split": split})


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _refuse_given(paths: Sequence[str]) -> None:
    for path in {*command_line.named_settings()} & {*paths}:
        raise ValueError(
            f"{path} is varied, so --config.{path} has no effect; leave one of them out"
        )


def _split(base: ConfigDict, folder: Path, progress: ProgressLine) -> str:
    named = "eval.split" in {*command_line.named_settings()}
    if _SPLIT.value and named:
        raise ValueError("--split and --config.eval.split exclude each other; leave one out")
    before = None if _SPLIT.value or named else planned_split(folder)
    return before or choose_split(from_mapping(base), _SPLIT.value, named, progress)


def _metric(config: Config) -> Metric:
    views = Network.of(config, ("any",)).views
    protocol = f"{config.eval.split}-{views.clips}x{views.crops}"
    return Metric(_METRIC.value, _CHECKPOINT.value, protocol)


def _show(summaries: Sequence[Summary], metric: Metric, folder: Path) -> None:
    rows = [
        (each.combination.name, shown(each.over_seeds, metric), f"{len(each.finished)}")
        for each in summaries[:_SHOWN]
    ]
    table(None, ("settings", metric.label, "seeds"), rows)
    if len(summaries) > len(rows):
        say(f"and {len(summaries) - len(rows)} more")
    best = summaries[0]
    if best.finished and metric.protocol.startswith(f"{VALIDATION}-"):
        workdir = shlex.quote(str(best.finished[0].run.workdir))
        say(
            f"The best on test videos: vidjax evaluate --workdir={workdir} --config.eval.split=test"
        )
    say(f"  {table_of(folder)}")


if __name__ == "__main__":
    command_line.run(main, __doc__, arguments=("[SETTING...]",), terminated=EXIT_CODE)

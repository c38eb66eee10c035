r"""Trains a configuration with many settings and seeds, and tabulates which are best.

Every combination of the values of --grid is trained with every seed, each run in a directory of
its own under --workdir. table.md, table.csv, runs.csv and figure.png are written there. Values of
--list are taken together: the first of each, then the second ones. The same command goes on where
it was interrupted. Finished runs are not repeated, failed ones are tried again.

The split "val" is scored where the data set has one. A choice made on the test split makes its
score too good.

--optuna=N lets Optuna choose N combinations from --search instead of a grid: log:0.001:0.3 and
0.0:0.5 are ranges, int:2:8 a range of whole numbers, and a,b,c a choice.

Examples:
  vidjax sweep --config=folder --config.data.manifest=videos.csv --workdir=runs/sweep \
      --grid optimizer.lr=0.1,0.03 --grid train.batch_size=8,16 --seeds=3
  vidjax sweep --config=demo --workdir=runs/pairs --list "clip.frames=8,16 clip.stride=4,2"
  vidjax sweep --config=demo --workdir=runs/tuned --optuna=20 --search optimizer.lr=log:0.003:0.3

Exit codes: 0 done, 1 a run failed, 2 something given does not fit, 75 stopped, to be taken up.
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

from .. import command_line
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
_WORKDIR = flags.DEFINE_string("workdir", None, "where the plan, the runs and the tables are kept")
_GRID = flags.DEFINE_multi_string("grid", [], "a setting and its values: optimizer.lr=0.1,0.03")
_LIST = flags.DEFINE_multi_string("list", [], "the same, of settings that are varied together")
_OPTUNA = flags.DEFINE_integer("optuna", None, "combinations that Optuna chooses", 1)
_SEARCH = flags.DEFINE_multi_string("search", [], "--optuna: optimizer.lr=log:0.001:0.3")
_SEEDS = flags.DEFINE_integer("seeds", 1, "runs of each combination, with seeds of their own", 1)
_SPLIT = flags.DEFINE_string("split", None, "that is scored; val where there is one")
_METRIC = flags.DEFINE_string("metric", "top1", "number of an evaluation that is compared")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "last", CHECKPOINTS, "evaluation of a run to take")
_WORKERS = flags.DEFINE_integer("workers", 1, "runs at a time", 1, MOST_WORKERS)
flags.mark_flags_as_required(["config", "workdir"])
# Rows that a terminal shows; table.md has all.
_SHOWN = 10


def main(*more: str) -> int:
    """Plans, trains and reports."""
    # This process asks for the devices and leaves their memory to the runs.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    folder = as_path(_WORKDIR.value)
    with ProgressLine() as progress:
        try:
            sweep = _tuned if _OPTUNA.value or _SEARCH.value else _grid
            plan, metric, paths = sweep(folder, more, progress)
        except KeyboardInterrupt:
            say("stopped; the same command goes on")
            return EXIT_CODE
        summaries = write_report(plan, metric, paths)
    _show(summaries, metric, folder)
    return 1 if plan.unfinished else 0


Swept = tuple[Plan, Metric, Sequence[str]]


def _grid(folder: Path, more: Sequence[str], progress: ProgressLine) -> Swept:
    """Carries out every combination of values."""
    if more and _LIST.value:
        raise ValueError(f"{more[0]!r} belongs to no flag; say --grid or --list before each")
    axes = read_axes([*_GRID.value, *more], _LIST.value)
    if not axes:
        raise ValueError("nothing is varied; say --grid, such as --grid optimizer.lr=0.1,0.03")
    paths = [path for axis in axes for path in axis.paths]
    _refuse_given(paths)
    base, settings = _CONFIG.value, combinations(axes)
    # All that can be known without data is refused before data are prepared.
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
    """Carries out combinations that Optuna chooses."""
    if more or _GRID.value or _LIST.value:
        raise ValueError("--optuna chooses among --search; leave out --grid and --list")
    if not (_OPTUNA.value and _SEARCH.value):
        raise ValueError("say both --optuna=N and --search, such as optimizer.lr=log:0.001:0.3")
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
    """What tells the plan of a search from others: more trials may be asked for later."""
    return {
        "search": optuna_search.varied(space),
        "metric": [metric.name, metric.checkpoint],
        "corners": [to_mapping(each.config) for each in corners],
    }


def _plan(folder: Path, split: str, varied: dict[str, Any]) -> Plan:
    """A plan of which the combinations are not known yet."""
    seeds = _SEEDS.value
    if split != VALIDATION:
        complain(f"warning: {caution(split)}")
    return Plan(folder, (), seeds, {**varied, "seeds": seeds, "split": split})


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _refuse_given(paths: Sequence[str]) -> None:
    for path in {*command_line.named_settings()} & {*paths}:
        raise ValueError(f"{path} is varied, so --config.{path} has no effect; leave one out")


def _split(base: ConfigDict, folder: Path, progress: ProgressLine) -> str:
    named = "eval.split" in {*command_line.named_settings()}
    if _SPLIT.value and named:
        raise ValueError("both --split and --config.eval.split; leave one out")
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

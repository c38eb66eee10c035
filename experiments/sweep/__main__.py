"""Trains a configuration with many settings and seeds, and tabulates which are best.

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

import datetime
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from vidjax.data.workers import MOST_WORKERS
from vidjax.ownership import owned
from vidjax.progress import ProgressLine
from vidjax.run.config import from_mapping
from vidjax.run.experiment import Experiment
from vidjax.run.network import Network
from vidjax.terminal import complain, say, table
from vidjax.training import plan as training_plan
from vidjax.training.grid import batch_unit
from vidjax.training.preemption import EXIT_CODE

from .. import command_line
from ..runs import starts
from ..runs.execution import execute
from ..runs.machine import hardware
from ..runs.run import Run
from .axes import combinations, read_axes
from .combination import combined
from .metric import CHECKPOINTS, Metric
from .plan import Plan, planned_split
from .report import shown, table_of, write_report
from .results import Summary, read_result
from .validation import VALIDATION, caution, choose_split

_CONFIG = command_line.config_file()
_WORKDIR = flags.DEFINE_string("workdir", None, "where the plan, the runs and the tables are kept")
_GRID = flags.DEFINE_multi_string("grid", [], "a setting and its values: optimizer.lr=0.1,0.03")
_LIST = flags.DEFINE_multi_string("list", [], "the same, of settings that are varied together")
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_CODE))
    folder = Path(_WORKDIR.value)
    with ProgressLine() as progress:
        plan, paths = _plan(folder, more, progress)
        plan.check()
        _check(plan, progress)
        _tell(plan)
        with owned(folder, advice="wait until it has ended, or name another --workdir"):
            plan.write_down()
            try:
                _carry_out(plan, progress)
            except KeyboardInterrupt:
                say("stopped; the same command goes on")
                return EXIT_CODE
            summaries = write_report(plan, _metric(plan), paths)
    _show(summaries, _metric(plan), folder)
    return 1 if plan.unfinished else 0


def _plan(folder: Path, more: Sequence[str], progress: ProgressLine) -> tuple[Plan, Sequence[str]]:
    """The plan that the command line describes, and the settings that it varies."""
    if more and _LIST.value:
        raise ValueError(f"{more[0]!r} belongs to no flag; say --grid or --list before each")
    axes = read_axes([*_GRID.value, *more], _LIST.value)
    if not axes:
        raise ValueError("nothing is varied; say --grid, such as --grid optimizer.lr=0.1,0.03")
    paths = [path for axis in axes for path in axis.paths]
    _refuse_given(paths)
    base: ConfigDict = _CONFIG.value
    settings = combinations(axes)
    # All that can be known without data is refused before data are prepared.
    combined(base, settings, base.eval.split)
    split = _split(base, folder, progress)
    varied: Mapping[str, Any] = {
        "axes": [[dict(choice) for choice in axis.choices] for axis in axes],
        "seeds": _SEEDS.value,
        "split": split,
    }
    return Plan(folder, combined(base, settings, split), _SEEDS.value, varied), paths


def _refuse_given(paths: Sequence[str]) -> None:
    for path in {*command_line.named_settings()} & {*paths}:
        raise ValueError(f"{path} is varied, so --config.{path} has no effect; leave one out")


def _split(base: ConfigDict, folder: Path, progress: ProgressLine) -> str:
    named = "eval.split" in {*command_line.named_settings()}
    if _SPLIT.value and named:
        raise ValueError("both --split and --config.eval.split; leave one out")
    before = None if _SPLIT.value or named else planned_split(folder)
    return before or choose_split(from_mapping(base), _SPLIT.value, named, progress)


def _metric(plan: Plan) -> Metric:
    config = plan.combinations[0].config
    views = Network.of(config, ("any",)).views
    protocol = f"{config.eval.split}-{views.clips}x{views.crops}"
    return Metric(_METRIC.value, _CHECKPOINT.value, protocol)


def _check(plan: Plan, progress: ProgressLine) -> None:
    """Prepares the data, and refuses what does not fit them before the first run starts."""
    _metric(plan)
    if not plan.unfinished:
        return
    for number, each in enumerate(plan.combinations, start=1):
        progress.show(f"checking combinations {number}/{len(plan.combinations)}")
        try:
            experiment = Experiment.open(each.config, progress.count, training=True)
            videos = len(experiment.split(each.config.data.train_split))
            training_plan.Plan.of(each.config, videos, batch_unit(experiment.network))
        except ValueError as error:
            raise ValueError(f"{each.name}: {error}") from None


def _tell(plan: Plan) -> None:
    total = len(plan.runs)
    done = total - len(plan.unfinished)
    say(
        f"{len(plan.combinations)} combinations x {plan.seeds} seeds = {total} runs, {done} of "
        f"them finished; {_WORKERS.value} at a time, in {plan.folder}"
    )
    if (split := plan.varied["split"]) != VALIDATION:
        complain(f"warning: {caution(split)}")


def _carry_out(plan: Plan, progress: ProgressLine) -> None:
    if not plan.unfinished:
        return
    begun = {
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "command": shlex.join(["vidjax", "sweep", *sys.argv[1:]]),
        "hardware": hardware(),
        "workers": _WORKERS.value,
    }
    start, metric = time.monotonic(), _metric(plan)
    try:
        execute(
            plan.runs,
            _WORKERS.value,
            plan.folder / "compiled",
            progress.show,
            lambda run: progress.note(_ended(run, metric)),
        )
    finally:
        starts.note(plan.folder, begun | {"seconds": time.monotonic() - start})


def _ended(run: Run, metric: Metric) -> str:
    """How a run has ended, in a line."""
    result = read_result(run, metric)
    if result.state != "finished":
        return f"{run.name} {result.state}: {result.error}; see {run.log}"
    return f"{run.name}: {metric.label} {metric.scale * result.score:.4g}"


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

"""Checks the combinations of a sweep, and trains their runs."""

from __future__ import annotations

import datetime
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidjax.progress import ProgressLine
from vidjax.run.experiment import Experiment
from vidjax.training.multigrid import batch_unit
from vidjax.training.plan import Plan as TrainingPlan

from ..runs import start_log
from ..runs.machine import hardware
from ..runs.run import Run
from ..runs.scheduler import execute
from .combination import Combination
from .metric import Metric
from .results import read_result


def check(combinations: Sequence[Combination], progress: ProgressLine) -> None:
    """Prepares the data of all combinations, and refuses those that could not be trained.

    Raises:
      ValueError: a setting does not fit the network, the data or the devices.
    """
    for number, each in enumerate(combinations, start=1):
        progress.show(f"checking combinations {number}/{len(combinations)}")
        try:
            experiment = Experiment.open(each.config, progress.count, training=True)
            videos = len(experiment.split(each.config.data.train_split))
            TrainingPlan.of(each.config, videos, batch_unit(experiment.network))
        except ValueError as error:
            raise ValueError(f"{each.name}: {error}") from None


@contextmanager
def noting(folder: Path, workers: int) -> Iterator[None]:
    """Adds an entry to the start log of the sweep when its context ends, even by an error."""
    begun = {
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "command": shlex.join(["vidjax", "sweep", *sys.argv[1:]]),
        "hardware": hardware(),
        "workers": workers,
    }
    start = time.monotonic()
    try:
        yield
    finally:
        start_log.note(folder, begun | {"seconds": time.monotonic() - start})


def carry_out(
    runs: Sequence[Run],
    folder: Path,
    workers: int,
    metric: Metric,
    progress: ProgressLine,
    before: str = "",
) -> None:
    """Trains the unfinished runs, and prints the result of each.

    Args:
      runs: the runs, in the order in which they start.
      folder: folder of the sweep.
      workers: number of runs at a time.
      metric: the metric to print.
      progress: shows how far it is.
      before: text before the progress.
    """
    show: Callable[[str], None] = lambda text: progress.show(f"{before}{text}")  # noqa: E731
    ended: Callable[[Run], None] = lambda run: progress.note(_ended(run, metric))  # noqa: E731
    execute(runs, workers, folder / "compiled", show, ended)


def _ended(run: Run, metric: Metric) -> str:
    """Describes how a run has ended, in one line."""
    result = read_result(run, metric)
    if result.state != "finished":
        return f"{run.name} {result.state}: {result.error}; see {run.log}"
    return f"{run.name}: {metric.label} {metric.scale * result.score:.4g}"

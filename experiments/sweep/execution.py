"""Carries out the runs of a sweep, after all of them have been checked."""

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
from vidjax.training.grid import batch_unit
from vidjax.training.plan import Plan as TrainingPlan

from ..runs import start_log
from ..runs.machine import hardware
from ..runs.run import Run
from ..runs.scheduler import execute
from .combination import Combination
from .metric import Metric
from .results import read_result


def check(combinations: Sequence[Combination], progress: ProgressLine) -> None:
    """Prepares the data of combinations, and refuses one that could not be trained.

    Raises:
      ValueError: a setting does not fit the network, the data or the devices; names it.
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
    """Adds to the starts of the sweep when its context ends, however it does."""
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
    """Carries out those of the runs that are not finished, and says how each ends.

    Args:
      runs: in the order to start them.
      folder: of the sweep.
      workers: runs at a time.
      metric: to say of each.
      progress: told how far it is.
      before: what stands before that.
    """
    show: Callable[[str], None] = lambda text: progress.show(f"{before}{text}")  # noqa: E731
    ended: Callable[[Run], None] = lambda run: progress.note(_ended(run, metric))  # noqa: E731
    execute(runs, workers, folder / "compiled", show, ended)


def _ended(run: Run, metric: Metric) -> str:
    """How a run has ended, in a line."""
    result = read_result(run, metric)
    if result.state != "finished":
        return f"{run.name} {result.state}: {result.error}; see {run.log}"
    return f"{run.name}: {metric.label} {metric.scale * result.score:.4g}"

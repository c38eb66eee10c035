"""A run that is started again with another duration: it goes on to the new end.

The optimiser's state and the order of the data go on as they are. What is a share of the whole run
follows its new length: the learning rate of a cosine rises again, because the end is further away.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidjax.data.multigrid import Timetable
from vidjax.run import workdir as workdirs
from vidjax.run.checkpoint import Checkpoints
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.network import Network
from vidjax.training import grid
from vidjax.training.plan import Plan
from vidjax.training.schedules import learning_rate


@dataclasses.dataclass(frozen=True)
class GoingOn:
    """Where a run with a new duration goes on.

    Attributes:
      step: its last checkpoint's.
      notes: lines that say what changes; none where the duration is what it was.
    """

    step: int = 0
    notes: tuple[str, ...] = ()


def going_on(workdir: Path, network: Network, plan: Plan, videos: int) -> GoingOn:
    """Where the run in `workdir` goes on, if its duration is another now; writes nothing.

    Args:
      workdir: the run's directory, which the caller owns.
      network: with the new configuration.
      plan: the new one.
      videos: of the training split.

    Raises:
      ConfigError: more steps are done than the new duration has, or batches that are done would
        have had other shapes.
    """
    config = network.config
    # Every process looks by itself: Orbax opens checkpoints in all of them at once.
    changes = workdirs.changed_duration(workdir, config)
    if not changes:
        return GoingOn()
    step = _last_step(workdir / "checkpoints")
    duration = config.train.duration
    if plan.total < step:
        raise ConfigError(
            f"train.duration = {duration!r} is {plan.total} steps, and the run in {workdir} has "
            f"done {step}: give a longer one, or name another --workdir"
        )
    before = dataclasses.replace(network, config=from_mapping(workdirs.read_config(workdir)))
    old = Plan.of(before.config, videos, grid.batch_unit(before))
    tables = grid.make_timetable(before, old), grid.make_timetable(network, plan)
    if not _same_until(step, *tables):
        raise ConfigError(
            f"train.duration = {duration!r}: with it, multigrid gives other shapes to the {step} "
            f"steps that are done; start another run from {workdir} by model.weights"
        )
    rates = (
        float(learning_rate(each, total=to.total, steps_per_epoch=to.steps_per_epoch)(step))
        for each, to in ((before.config, old), (config, plan))
    )
    was, now = rates
    notes = [
        f"train.duration was {before.config.train.duration!r} and is {duration!r}: the run goes on "
        f"after step {step}, to step {plan.total} instead of {old.total}. The schedule "
        f"{config.schedule.name!r} follows: the learning rate is {now:.4g} there, and was {was:.4g}"
    ]
    views = [change for path, change in changes.items() if path.startswith("eval.")]
    if views:
        notes.append(f"the best checkpoint compares other evaluations: {'; '.join(views)}")
    return GoingOn(step, tuple(notes))


def ends(workdir: Path, network: Network, videos: int) -> set[int]:
    """Steps that the run in `workdir` was to end after before its duration was changed."""
    unit = grid.batch_unit(network)
    return {Plan.of(config, videos, unit).total for config in workdirs.earlier(workdir)}


def _last_step(directory: Path) -> int:
    if not directory.is_dir():
        return 0
    with contextlib.closing(Checkpoints(directory, read_only=True)) as checkpoints:
        steps: Sequence[int] = checkpoints.steps()
    return steps[-1] if steps else 0


def _same_until(step: int, old: Timetable, new: Timetable) -> bool:
    """Whether two runs have the same batches until a step."""
    shapes = ([table.shape(k) for k in range(min(step, len(table)))] for table in (old, new))
    first, second = shapes
    return first == second and np.array_equal(old.firsts[: step + 1], new.firsts[: step + 1])

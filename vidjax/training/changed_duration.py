"""Continues a run with a changed duration.

The optimiser state and the order of the data continue as they are. Everything that is a share of
the run follows the new length. For example, the learning rate of a cosine schedule rises again,
because the end is further away.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidjax.data.multigrid import GridSchedule
from vidjax.run import workdir as workdirs
from vidjax.run.checkpoint import Checkpoints
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.network import Network
from vidjax.training import multigrid
from vidjax.training.plan import Plan
from vidjax.training.schedules import learning_rate


@dataclasses.dataclass(frozen=True)
class Continuation:
    """Where a run with a changed duration continues.

    Attributes:
      step: step of its last checkpoint.
      notes: lines that say what changes; empty if the duration did not change.
    """

    step: int = 0
    notes: tuple[str, ...] = ()


def continuation(workdir: Path, network: Network, plan: Plan, videos: int) -> Continuation:
    """Returns where the run in `workdir` continues, if its duration has changed. Writes nothing.

    Args:
      workdir: the run's directory, which the caller owns.
      network: the network with the new configuration.
      plan: the new plan.
      videos: number of videos in the training split.

    Raises:
      ConfigError: the run has done more steps than the new duration has, or finished batches would
        have had other shapes.
    """
    config = network.config
    # Every process checks this, because Orbax opens checkpoints in all of them at once.
    changes = workdirs.changed_duration(workdir, config)
    if not changes:
        return Continuation()
    step = _last_step(workdir / "checkpoints")
    duration = config.train.duration
    if plan.total < step:
        raise ConfigError(
            f"train.duration = {duration!r} is {plan.total} steps, but the run in {workdir} has "
            f"already done {step}: choose a longer duration or another --workdir"
        )
    before = dataclasses.replace(network, config=from_mapping(workdirs.read_config(workdir)))
    old = Plan.of(before.config, videos, multigrid.batch_unit(before))
    tables = multigrid.make_schedule(before, old), multigrid.make_schedule(network, plan)
    if not _same_until(step, *tables):
        raise ConfigError(
            f"train.duration = {duration!r} changes the multigrid shapes of the {step} steps that "
            f"are already done; start another run with model.weights = {workdir}"
        )
    rates = (
        float(learning_rate(each, total=to.total, steps_per_epoch=to.steps_per_epoch)(step))
        for each, to in ((before.config, old), (config, plan))
    )
    was, now = rates
    notes = [
        f"train.duration changed from {before.config.train.duration!r} to {duration!r}: the run "
        f"continues after step {step} and ends at step {plan.total} instead of {old.total}. The "
        f"schedule {config.schedule.name!r} follows: the learning rate at step {step} is now "
        f"{now:.4g} instead of {was:.4g}"
    ]
    views = [change for path, change in changes.items() if path.startswith("eval.")]
    if views:
        notes.append(
            "the evaluation changed too, so earlier best scores are not comparable: "
            f"{'; '.join(views)}"
        )
    return Continuation(step, tuple(notes))


def ends(workdir: Path, network: Network, videos: int) -> set[int]:
    """Returns the last steps of the run in `workdir` under its earlier durations."""
    unit = multigrid.batch_unit(network)
    return {Plan.of(config, videos, unit).total for config in workdirs.earlier_configs(workdir)}


def _last_step(directory: Path) -> int:
    if not directory.is_dir():
        return 0
    with contextlib.closing(Checkpoints(directory, read_only=True)) as checkpoints:
        steps: Sequence[int] = checkpoints.steps()
    return steps[-1] if steps else 0


def _same_until(step: int, old: GridSchedule, new: GridSchedule) -> bool:
    """Returns whether two runs have the same batches up to a step."""
    shapes = ([table.shape(k) for k in range(min(step, len(table)))] for table in (old, new))
    first, second = shapes
    return first == second and np.array_equal(old.firsts[: step + 1], new.firsts[: step + 1])

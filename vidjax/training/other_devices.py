"""A run that goes on with other devices than it began with: it stays the run that it was.

A mesh decides where arrays lie, and not what they are. Two settings make it otherwise, and a run
with one of them is not to change in silence: statistics of each device's clips, and a multigrid
whose batches are rounded to the devices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidjax.data.multigrid import Timetable
from vidjax.run.config import ConfigError
from vidjax.run.network import Network
from vidjax.run.workdir import device_counts
from vidjax.training import grid
from vidjax.training.plan import Plan


def refuse_another_result(workdir: Path, network: Network, videos: int) -> None:
    """Refuses devices on which the run in `workdir` would become another one.

    Args:
      workdir: of a run that has begun.
      network: on the devices that are here.
      videos: of the training split.

    Raises:
      ConfigError: says what depends on the number of devices.
    """
    here, known = network.mesh.size, device_counts(workdir)
    if not known or here in known:
        return
    before = max(known)
    way_out = f"give it {before} devices, or start another run with model.weights = {workdir}"
    if network.config.train.batch_norm == "per_device":
        raise ConfigError(
            f"train.batch_norm = 'per_device' takes the statistics of each device's clips, and "
            f"the run in {workdir} has them of {before} devices: on {here} it would be another "
            f"run; {way_out}"
        )
    if network.config.multigrid.is_on and not _same_batches(network, videos, before):
        raise ConfigError(
            f"multigrid rounds batches to the devices, and the run in {workdir} has those of "
            f"{before}: on {here} its steps would have other batches; {way_out}"
        )


def _same_batches(network: Network, videos: int, before: int) -> bool:
    new, old = (_timetable(network, videos, devices) for devices in (network.mesh.size, before))
    if len(new) != len(old) or not np.array_equal(new.firsts, old.firsts):
        return False
    return all(new.shape(step) == old.shape(step) for step in range(len(new)))


def _timetable(network: Network, videos: int, devices: int) -> Timetable:
    plan = Plan.of(network.config, videos, grid.batch_unit(network, devices))
    return grid.make_timetable(network, plan, devices)

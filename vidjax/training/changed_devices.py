"""A run that goes on with other devices than it began with: it stays the run that it was.

A mesh decides where arrays lie, and not what they are. Statistics of each device's clips are the
exception, and a run with them is not to change in silence. The batches of a multigrid are whole
multiples of one that the devices divide, so that they are the same on any of them.
"""

from __future__ import annotations

from pathlib import Path

from vidjax.run.config import ConfigError
from vidjax.run.network import Network
from vidjax.run.workdir import device_counts


def refuse_another_result(workdir: Path, network: Network) -> None:
    """Refuses devices on which the run in `workdir` would become another one.

    Args:
      workdir: of a run that has begun.
      network: on the devices that are here.

    Raises:
      ConfigError: says what depends on the number of devices.
    """
    if network.config.train.batch_norm != "per_device":
        return
    here, known = network.mesh.size, device_counts(workdir)
    if known and here not in known:
        before = max(known)
        raise ConfigError(
            f"train.batch_norm = 'per_device' takes the statistics of each device's clips, and "
            f"the run in {workdir} has them of {before} devices: on {here} it would be another "
            f"run; give it {before} devices, or start another run with model.weights = {workdir}"
        )

"""Checks that a run can continue on a changed number of devices without changing its result.

A mesh decides where arrays are, not their values. Batch statistics per device are the exception; a
run that uses them must not change silently. Batch sizes of multigrid training are multiples of one
that fits the devices, so that they are the same on any number of devices.
"""

from __future__ import annotations

from pathlib import Path

from vidjax.run.config import ConfigError
from vidjax.run.network import Network
from vidjax.run.workdir import device_counts


def check_device_count(workdir: Path, network: Network) -> None:
    """Refuses devices on which the run in `workdir` would compute other results.

    Args:
      workdir: work directory of a run that has begun.
      network: the network on the present devices.

    Raises:
      ConfigError: names the setting that depends on the number of devices.
    """
    if network.config.train.batch_norm != "per_device":
        return
    here, known = network.mesh.size, device_counts(workdir)
    if known and here not in known:
        before = max(known)
        raise ConfigError(
            f"train.batch_norm = 'per_device' computes statistics per device, and the run in "
            f"{workdir} began on {before} devices: on {here} its result would change; use "
            f"{before} devices, or start another run with model.weights = {workdir}"
        )

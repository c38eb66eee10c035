"""Shardings of arrays: a named mesh, batches split over it, large parameters split over `fsdp`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from vidjax.run.setting_groups import MeshConfig
from vidjax.run.typed_values import ConfigError

if TYPE_CHECKING:
    from vidjax.run.config import Config

BATCH_AXES = ("data", "fsdp")
# Splitting a smaller array costs more in communication than it saves in memory.
_SMALLEST_SPLIT = 2**16


def make_mesh(config: MeshConfig) -> Mesh:
    """Makes a mesh of all devices with axes `data` and `fsdp`.

    Raises:
      ConfigError: the axes do not multiply to the number of devices.
    """
    devices = jax.device_count()
    if not _fits(config, devices):
        raise ConfigError(
            f"mesh.data = {config.data} by mesh.fsdp = {config.fsdp} does not fit "
            f"{devices} device{'s' * (devices > 1)}; one of them may be -1"
        )
    return jax.make_mesh(
        _sizes(config, devices), BATCH_AXES, axis_types=(AxisType.Auto, AxisType.Auto)
    )


def fitting_mesh(config: MeshConfig) -> MeshConfig:
    """Returns the mesh itself if it fits this machine's devices, else the most similar one.

    Large parameters are split over a number of devices that both meshes can have. With one device,
    an array holds everything that several devices held.
    """
    devices = jax.device_count()
    if _fits(config, devices):
        return config
    if config.fsdp == -1:
        copies = math.gcd(config.data, devices)
        return MeshConfig(data=copies, fsdp=devices // copies)
    parts = math.gcd(config.fsdp, devices)
    return MeshConfig(data=devices // parts, fsdp=parts)


def adapt_to_devices(config: Config, given: Collection[str] = ()) -> tuple[Config, list[str]]:
    """Adapts a configuration to the devices of this machine, whatever it was made for.

    Results stay the same: only the placement of arrays and the evaluation's batch size change.

    Args:
      config: the original configuration.
      given: paths of settings that the user has just set, which are kept.

    Returns:
      The configuration, and lines that describe the changes.
    """
    notes, devices = [], jax.device_count()
    mesh, batch = config.mesh, config.eval.batch_size
    if not {"mesh.data", "mesh.fsdp"} & set(given) and (here := fitting_mesh(mesh)) != mesh:
        notes.append(
            f"mesh.data = {mesh.data} by mesh.fsdp = {mesh.fsdp} does not fit {devices} "
            f"device{'s' * (devices > 1)}: using {here.data} by {here.fsdp}"
        )
        mesh = here
    if "eval.batch_size" not in given and batch % devices:
        batch += -batch % devices
        notes.append(
            f"eval.batch_size = {config.eval.batch_size} is not divisible by {devices} devices: "
            f"using {batch}"
        )
    views = dataclasses.replace(config.eval, batch_size=batch)
    return dataclasses.replace(config, mesh=mesh, eval=views), notes


def _fits(config: MeshConfig, devices: int) -> bool:
    return min(sizes := _sizes(config, devices)) > 0 and sizes[0] * sizes[1] == devices


def _sizes(config: MeshConfig, devices: int) -> tuple[int, int]:
    """Returns the devices along the axes, with -1 replaced by the remaining number."""
    sizes = (config.data, config.fsdp)
    if sizes.count(-1) != 1:
        return sizes
    first, second = (devices // max(sizes) if size == -1 else size for size in sizes)
    return first, second


def describe(mesh: Mesh) -> str:
    """Describes devices, axes and processes in one line."""
    kind, processes = mesh.devices.flat[0].device_kind, jax.process_count()
    if mesh.size == 1:
        return f"on one device, {kind}"
    axes = ", ".join(f"{name} {size}" for name, size in mesh.shape.items())
    parts = "one process" if processes == 1 else f"{processes} processes"
    return f"on {mesh.size} x {kind} ({axes}) in {parts}"


def check_batch(name: str, size: int, mesh: Mesh) -> None:
    """Refuses a batch size that is not divisible by the number of devices.

    Raises:
      ConfigError: names the setting, its value and the nearest sizes that fit.
    """
    if size % mesh.size:
        below = size // mesh.size * mesh.size
        fits = " or ".join(str(fit) for fit in (below, below + mesh.size) if fit)
        raise ConfigError(f"{name} = {size} is not divisible by {mesh.size} devices; use {fits}")


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Splits the first axis over all devices."""
    return NamedSharding(mesh, P(BATCH_AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """Keeps a whole copy on each device."""
    return NamedSharding(mesh, P())


def state_shardings(shapes: Any, mesh: Mesh) -> Any:
    """Returns a sharding for each array of a state's shapes: large ones are split over `fsdp`."""
    return jax.tree.map(lambda leaf: NamedSharding(mesh, _split(leaf.shape, mesh)), shapes)


def _split(shape: tuple[int, ...], mesh: Mesh) -> P:
    parts = mesh.shape["fsdp"]
    if parts == 1 or np.prod(shape, initial=1) < _SMALLEST_SPLIT:
        return P()
    axes = [axis for axis, size in enumerate(shape) if size % parts == 0]
    if not axes:
        return P()
    largest = max(axes, key=lambda axis: shape[axis])
    return P(*("fsdp" if axis == largest else None for axis in range(len(shape))))


def to_devices(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Puts this process's rows of a batch on its devices, as part of the global batch."""
    sharding = batch_sharding(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()
    }

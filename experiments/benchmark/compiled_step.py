"""Compiles a training step for devices that may be absent, without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jax.experimental.topologies import get_topology_desc
from jax.sharding import AxisType

from vidjax.configs import synthetic
from vidjax.fast_compilation import FAST_COMPILE
from vidjax.layers.lowering import force_lowering
from vidjax.run.config import Config, from_mapping
from vidjax.run.network import Network
from vidjax.run.sharding import BATCH_AXES
from vidjax.training.compile_step import lower_step


def devices(count: int, topology: str = "") -> list[jax.Device]:
    """Returns simulated devices, or those of a topology such as `v5e:2x4`.

    Call it before JAX is used otherwise.
    """
    jax.config.update("jax_num_cpu_devices", count)
    jax.config.update("jax_platforms", "cpu")
    if not topology:
        return jax.devices()
    return list(get_topology_desc(platform="tpu", topology_name=topology).devices)


def step_config(
    model: str,
    clip: tuple[int, int, int],
    mesh: Mapping[str, int],
    *,
    batch: int,
    dtype: str,
    width: int | None = None,
    train: Mapping[str, Any] | None = None,
) -> Config:
    """Returns the configuration of a training step.

    Args:
      model: name of the network, as in `vidjax.list_models()`.
      clip: frames, height and width.
      mesh: sizes of the axes `data` and `fsdp`.
      batch: clips on all devices together.
      dtype: dtype of the computation.
      width: channels of the stem; None is as published.
      train: further settings of the group `train`.

    Raises:
      ValueError: height and width differ.
    """
    frames, height, size = clip
    if height != size:
        raise ValueError(f"--clip={frames},{height},{size}: training cuts out squares")
    config = synthetic.get_config(f"model={model}")
    config.dtype = dtype
    if width:
        config.model.options.width = width
    config.clip.update({"frames": frames, "size": size})
    config.train.update({"batch_size": batch, **(train or {})})
    config.mesh.update(mesh)
    return from_mapping(config)


def network_on(devices: Sequence[jax.Device], config: Config, classes: int) -> Network:
    """Makes the network of a configuration on a mesh of the given devices."""
    axes = (AxisType.Auto, AxisType.Auto)
    shape = np.array(devices).reshape(config.mesh.data, config.mesh.fsdp)
    mesh = jax.sharding.Mesh(shape, BATCH_AXES, axis_types=axes)
    return Network(config, tuple(map(str, range(classes))), mesh)


def compile_step(network: Network, *, quickly: bool) -> Any:
    """Compiles the training step with the operators that accelerators use.

    Args:
      network: the network, on its devices.
      quickly: skip XLA's slower optimisations, if the program will only be read.
    """
    optimizer = network.optimizer(optax.constant_schedule(0.1))
    state = network.state_like(optimizer)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    with force_lowering("lax"):
        lowered = lower_step(network, optimizer, state, shardings)
    return lowered.compile(FAST_COMPILE if quickly else None)

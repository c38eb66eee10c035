"""Batches, steps and learning rate of a run with multigrid training."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax

from vidjax.data.multigrid import GridSchedule, GridShape, grid_schedule
from vidjax.data.multigrid_batches import grid_batches
from vidjax.data.pipeline import train_batches
from vidjax.data.prepared import VideoSource
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.training.plan import Plan, base_shape
from vidjax.training.schedules import drops


def batch_unit(network: Network) -> int:
    """Returns what batch sizes are multiples of: devices, batch norm groups, accumulated parts."""
    train = network.config.train
    return math.lcm(network.mesh.size, train.norm_group or 1) * train.accumulate


def make_schedule(network: Network, plan: Plan) -> GridSchedule:
    """Returns the shape of every step of a run.

    Raises:
      ValueError: the multigrid schedule needs stages that the configuration lacks.
    """
    config = network.config
    return grid_schedule(
        config.multigrid,
        base_shape(config),
        steps=plan.total,
        steps_per_epoch=plan.steps_per_epoch,
        boundaries=drops(config, total=plan.total, steps_per_epoch=plan.steps_per_epoch),
        unit=batch_unit(network),
    )


def with_shape(network: Network, shape: GridShape) -> Network:
    """Returns the network for batches of another shape; parameters do not depend on it."""
    config = network.config
    if shape == base_shape(config):
        return network
    train = dataclasses.replace(config.train, batch_size=shape.batch)
    clip = dataclasses.replace(config.clip, frames=shape.frames, size=shape.size)
    return Network.of(dataclasses.replace(config, train=train, clip=clip), network.classes)


def scaled_by_batch(rate: optax.Schedule, table: GridSchedule) -> optax.Schedule:
    """Scales a learning rate with the batch size of the long cycle (Goyal et al. 2017)."""
    if np.all(table.rates == 1):
        return rate
    changes = np.flatnonzero(np.diff(table.rates)) + 1
    factors = jnp.asarray(table.rates[np.append(0, changes)], jnp.float32)

    def scaled(step: jax.typing.ArrayLike) -> jax.Array:
        return rate(step) * factors[jnp.searchsorted(changes, step, side="right")]

    return scaled


def batches(config: Config, source: VideoSource, table: GridSchedule) -> grain.MapDataset:
    """Returns this process' batches of a run.

    Raises:
      ValueError: the split is empty, or the batch size is not divisible by the number of processes.
    """
    settings: dict[str, Any] = {
        "seed": config.seed,
        "process_index": jax.process_index(),
        "process_count": jax.process_count(),
        "sampling": config.train.sampling,
        "shards": config.data.shuffle_shards,
    }
    if config.multigrid.is_on:
        time = config.multigrid.time
        return grid_batches(source, config.clip, config.augment, table, time=time, **settings)
    size = config.train.batch_size
    return train_batches(source, config.clip, config.augment, batch_size=size, **settings)

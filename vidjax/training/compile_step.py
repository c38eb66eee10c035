"""Compiles the training step before the loop, so that its cost is known and paid once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import optax

from vidjax.data.pipeline import batch_shapes
from vidjax.evaluation.cost import count_cost
from vidjax.garbage_collection import collection_paused
from vidjax.run.network import Network
from vidjax.run.sharding import batch_sharding, replicated
from vidjax.run.state import TrainState
from vidjax.training import compile_cache
from vidjax.training.step import Step


@dataclass(frozen=True)
class Compiled:
    """The compiled step, compile time in seconds, its multiply-adds, and whether the cache had it.

    A backward pass counts as two forward passes: one gradient for the input and one for the kernel.
    """

    step: Callable[[TrainState, Any], tuple[TrainState, dict[str, jax.Array]]]
    seconds: float
    multiply_adds: int
    cached: bool = False


def compile_step(
    network: Network,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    shardings: Any,
    class_weights: tuple[float, ...] = (),
) -> Compiled:
    """Compiles the training step of a network for its devices. The step donates its state."""
    start = time.monotonic()
    with compile_cache.Hits() as hits:
        compiled = lower_step(network, optimizer, state, shardings, class_weights).compile()
    seconds = time.monotonic() - start
    forward = count_cost(network.module, network.clip_shape[:3]).macs
    macs = 3 * forward * network.config.train.batch_size
    return Compiled(compiled, seconds, macs, cached=hits.found > 0)


def compile_cost(compiled: Sequence[Compiled]) -> dict[str, float]:
    """Returns the total compile time, and the cost of a step; all shapes cost about the same."""
    return {
        "seconds": sum(each.seconds for each in compiled),
        "multiply_adds_per_step": max(each.multiply_adds for each in compiled),
    }


def lower_step(
    network: Network,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    shardings: Any,
    class_weights: tuple[float, ...] = (),
) -> jax.stages.Lowered:
    """Lowers the training step as `compile_step` does, without compiling it."""
    config, mesh = network.config, network.mesh
    step = Step(
        network.module,
        optimizer,
        mean=network.mean,
        std=network.std,
        label_smoothing=config.train.label_smoothing,
        accumulate=config.train.accumulate,
        ema=config.train.ema,
        mix=config.train.cutmix,
        mix_chance=config.train.cutmix_chance,
        mixup=config.train.mixup,
        class_weights=class_weights,
        train_only=config.train.train_only,
        frozen=config.train.frozen,
        frozen_batch_norm=config.train.frozen_batch_norm,
        partial_batch_norm=config.train.partial_batch_norm,
        augments=config.augment.device,
        reading=network.reading,
        guesses=network.guesses,
        multi_label=config.data.multi_label,
    )
    size, split = config.train.batch_size, batch_sharding(mesh)
    shapes = batch_shapes(config.clip, config.augment, size, network.targets, config.data.channels)
    batch = {
        name: jax.ShapeDtypeStruct(shape, dtype, sharding=split)
        for name, (shape, dtype) in shapes.items()
    }
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(shardings, replicated(mesh)))
    with collection_paused():
        return jitted.lower(state, batch)

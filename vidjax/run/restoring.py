"""Restores the state of a run's checkpoint."""

from __future__ import annotations

import contextlib
from pathlib import Path

import jax
import optax

from vidjax.run.checkpoint import CheckpointError, Checkpoints, RemovedError
from vidjax.run.network import Network
from vidjax.run.state import TrainState


def restore(network: Network, workdir: Path, checkpoint: str) -> tuple[int, TrainState]:
    """Restores the state of a checkpoint, together with its step.

    Args:
      network: network of the run's configuration.
      workdir: the run's directory.
      checkpoint: a step, `best` or `last`.

    Raises:
      CheckpointError: the checkpoint does not exist or cannot be read.
    """
    directory = workdir / "checkpoints"
    if not directory.is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoints; train first")
    # The learning rate is irrelevant: the optimiser only provides the shape of its state.
    like = network.state_like(network.optimizer(optax.constant_schedule(0.0)))
    while True:
        try:
            with contextlib.closing(Checkpoints(directory, read_only=True)) as checkpoints:
                step = checkpoints.resolve(checkpoint)
                return step, checkpoints.restore(step, like=like)[0]
        except RemovedError:
            # A concurrent training run has a newer one by now, which not all processes may have
            # seen.
            if checkpoint.isdecimal() or jax.process_count() > 1:
                raise

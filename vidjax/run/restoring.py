"""Opening the trained network of a run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import jax
import optax

from vidjax.run.checkpoint import CheckpointError, Checkpoints, RemovedError
from vidjax.run.network import Network
from vidjax.run.state import TrainState


def restore(network: Network, workdir: Path, checkpoint: str) -> tuple[int, TrainState]:
    """The state of a checkpoint, and its step.

    Args:
      network: of the run's configuration.
      workdir: the run's directory.
      checkpoint: a step, `best` or `last`.

    Raises:
      CheckpointError: there is no such checkpoint or it cannot be read.
    """
    directory = workdir / "checkpoints"
    if not directory.is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoints; train first")
    # The rate does not matter: the optimiser is made only for the shape of its state.
    like = network.state_like(network.optimizer(optax.constant_schedule(0.0)))
    while True:
        try:
            with contextlib.closing(Checkpoints(directory, read_only=True)) as checkpoints:
                step = checkpoints.resolve(checkpoint)
                return step, checkpoints.restore(step, like=like)[0]
        except RemovedError:
            # A training beside has a newer one by now; processes of a job may not all see that.
            if checkpoint.isdecimal() or jax.process_count() > 1:
                raise

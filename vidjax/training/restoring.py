"""Opening the trained network of a run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import optax

from vidjax.training.checkpoint import CheckpointError, Checkpoints
from vidjax.training.network import Network
from vidjax.training.state import TrainState


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
    with contextlib.closing(Checkpoints(directory, read_only=True)) as checkpoints:
        step = checkpoints.resolve(checkpoint)
        # The rate does not matter: the optimiser is made only for the shape of its state.
        like, _ = network.init(network.optimizer(optax.constant_schedule(0.0)))
        state, _ = checkpoints.restore(step, like=like)
    return step, state

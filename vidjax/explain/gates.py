"""Measures how many clips open each temporal gate of a network.

Source: thesis, section 4.3.2. A gate is open for a clip whose frames and states match in both
directions. Any network with gates can be measured, however it was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from vidjax.methods.temporal_gates import READINGS, openness
from vidjax.records import Count, read_lines


@dataclass(frozen=True)
class GateState:
    """How often a gate is open on a split of videos; the columns of `gates.csv`.

    Attributes:
      run: name of the network.
      gate: location of the gate, such as `layer1_block1`.
      open: fraction of the clips for which the gate is open.
      videos: number of videos that the clips come from.
    """

    run: str
    gate: str
    open: float
    videos: int


@dataclass(frozen=True)
class GateLog:
    """Values of a gate that a run has logged; the columns of `gates_training.csv`.

    Attributes:
      run: name of the run.
      step: training step.
      gate: as in `GateState`.
      quantity: `open`, or `matched` for gates that would be open without warm-up.
      fraction: fraction of the clips since the line before.
    """

    run: str
    step: int
    gate: str
    quantity: str
    fraction: float


def gates_of(model: nn.Module, variables: Any, clip: jax.Array) -> dict[str, jax.Array]:
    """Returns which clips `[B, T, H, W, 3]` open which gates: bool `[B]` by the gate's name.

    Args:
      model: a network with gates of the kind `hard`.
      variables: the model's variables.
      clip: normalised clips.

    Raises:
      ValueError: the network has no such gate.
    """
    logits, state = model.apply(variables, clip, train=False, mutable=["intermediates"])
    found = openness(state.get("intermediates", {}), logits)
    prefix = f"{READINGS['gate_open']}/"
    gates = {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }
    if not gates:
        raise ValueError("the network has no gates to read: it needs srtg and gate='hard'")
    return gates


def gate_scores(model: nn.Module, variables: Any, clip: jax.Array) -> jax.Array:
    """Returns the result of `gates_of` as numbers, float32 `[B, gates]`, in the same order."""
    return jnp.stack(list(gates_of(model, variables, clip).values()), -1).astype(jnp.float32)


def states_of(run: str, names: Sequence[str], scores: np.ndarray) -> list[GateState]:
    """Returns the states of a network's gates, given scores `[videos, gates]`."""
    means = scores.mean(axis=0)
    return [
        GateState(run, name, round(float(mean), 6), len(scores))
        for name, mean in zip(names, means, strict=True)
    ]


class _Line(msgspec.Struct):
    """The fields that every line has; all other names are numbers."""

    step: Count
    split: str = ""


def read_log(run: Path, name: str) -> list[GateLog]:
    """Reads what a run's `metrics.jsonl` logged of its gates; empty if it logged nothing."""
    file = run / "metrics.jsonl"
    lines = read_lines(file, "correct the line, or remove it", _Line) if file.exists() else []
    # Evaluations and whole epochs have readings too.
    of_training = [line for line in lines if line.get("split") == "train"]
    return [log for line in of_training for log in _logged(line, name)]


def _logged(line: Mapping[str, Any], run: str) -> Iterator[GateLog]:
    for key, value in line.items():
        quantity, _, gate = key.partition("/")
        if gate and quantity in READINGS.values():
            yield GateLog(run, line["step"], gate, quantity, value)

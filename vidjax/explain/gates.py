"""How many clips open the temporal gates of a network, gate by gate.

Thesis, section 4.3.2: a gate is open for a clip whose frames and states match in both directions.
The test can be put to any network with gates, however it was trained.
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
    """What a gate does with a split of videos; the columns of `gates.csv`.

    Attributes:
      run: name of the network.
      gate: where it is, such as `layer1_block1`.
      open: fraction of the clips that it is open for.
      videos: number of videos that the clips are of.
    """

    run: str
    gate: str
    open: float
    videos: int


@dataclass(frozen=True)
class GateLog:
    """What a run has logged of a gate; the columns of `gates_training.csv`.

    Attributes:
      run: name of the run.
      step: of training.
      gate: as in `GateState`.
      quantity: `open`, or `matched`: it would be open if there were no warm-up.
      fraction: of the clips since the line before.
    """

    run: str
    step: int
    gate: str
    quantity: str
    fraction: float


def gates_of(model: nn.Module, variables: Any, clip: jax.Array) -> dict[str, jax.Array]:
    """Which clips `[B, T, H, W, 3]` open which gates: bool `[B]` by the gate's name.

    Args:
      model: a network whose gates are `hard`.
      variables: its variables.
      clip: normalised.

    Raises:
      ValueError: there is no such gate in it.
    """
    logits, state = model.apply(variables, clip, train=False, mutable=["intermediates"])
    found = openness(state.get("intermediates", {}), logits)
    prefix = f"{READINGS['gate_open']}/"
    gates = {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }
    if not gates:
        raise ValueError("no gates to read: a network with srtg and gate='hard' is needed")
    return gates


def gate_scores(model: nn.Module, variables: Any, clip: jax.Array) -> jax.Array:
    """The same as numbers, float32 `[B, gates]`, in the order of the dictionary."""
    return jnp.stack(list(gates_of(model, variables, clip).values()), -1).astype(jnp.float32)


def states_of(run: str, names: Sequence[str], scores: np.ndarray) -> list[GateState]:
    """The states of a network's gates from scores `[videos, gates]`."""
    means = scores.mean(axis=0)
    return [
        GateState(run, name, round(float(mean), 6), len(scores))
        for name, mean in zip(names, means, strict=True)
    ]


class _Line(msgspec.Struct):
    """What every line has; the other names are of numbers."""

    step: Count


def read_log(run: Path, name: str) -> list[GateLog]:
    """What a run's `metrics.jsonl` has of its gates; nothing where they were not tested."""
    file = run / "metrics.jsonl"
    lines = read_lines(file, "correct the line, or remove it", _Line) if file.exists() else []
    return [log for line in lines for log in _logged(line, name)]


def _logged(line: Mapping[str, Any], run: str) -> Iterator[GateLog]:
    for key, value in line.items():
        quantity, _, gate = key.partition("/")
        if gate and quantity in READINGS.values():
            yield GateLog(run, line["step"], gate, quantity, value)

"""Recurrent networks (RNN, LSTM, GRU) over the frames of a clip.

The input projections of all frames are one matrix product; only what depends on the previous frame
is in the loop. Gates are in the order of PyTorch's cells (LSTM: input, forget, candidate, output;
GRU: reset, update, candidate). Both projections have a bias, as the thesis' parameter counts imply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from vidjax.settings import Kind, check, one_of, whole

Carry = tuple[jax.Array, ...]


@dataclass(frozen=True)
class Weights:
    """Weights of a cell: recurrent kernel `[C, G C]`, bias `[G C]`, peepholes `[3, C]`."""

    kernel: jax.Array
    bias: jax.Array
    peephole: jax.Array | None = None

    def project(self, h: jax.Array, gates: slice = slice(None)) -> jax.Array:
        """Projects states `[B, C]` to some of the gates, `[B, gates C]`."""
        width = h.shape[-1]
        part = slice(
            *(edge if edge is None else edge * width for edge in (gates.start, gates.stop))
        )
        return h @ self.kernel[:, part] + self.bias[part]


Step = Callable[[Carry, jax.Array, Weights], Carry]


def _rnn(carry: Carry, x: jax.Array, weights: Weights) -> Carry:
    return (jnp.tanh(x + weights.project(carry[0])),)


def _lstm(carry: Carry, x: jax.Array, weights: Weights) -> Carry:
    """Computes eq. 4.1 to 4.5 of the thesis.

    With peepholes the gates see the cell too (Gers, Schmidhuber).
    """
    h, cell = carry
    enter, forget, candidate, leave = jnp.split(x + weights.project(h), 4, axis=-1)
    see = (0.0, 0.0, 0.0) if weights.peephole is None else tuple(weights.peephole)
    kept = nn.sigmoid(forget + see[1] * cell) * cell
    cell = kept + nn.sigmoid(enter + see[0] * cell) * jnp.tanh(candidate)
    return nn.sigmoid(leave + see[2] * cell) * jnp.tanh(cell), cell


def _gru(carry: Carry, x: jax.Array, weights: Weights) -> Carry:
    """Computes eq. 5.8 to 5.11 of the thesis.

    The reset comes after the matrix, as in cuDNN, PyTorch and Flax.
    """
    x_reset, x_update, x_new = jnp.split(x, 3, axis=-1)
    h_reset, h_update, h_new = jnp.split(weights.project(carry[0]), 3, axis=-1)
    new = jnp.tanh(x_new + nn.sigmoid(x_reset + h_reset) * h_new)
    return _updated(carry, x_update + h_update, new)


def _gru_reset_before(carry: Carry, x: jax.Array, weights: Weights) -> Carry:
    """Does the same with the reset before the matrix, as eq. 5.10 is printed."""
    x_reset, x_update, x_new = jnp.split(x, 3, axis=-1)
    h_reset, h_update = jnp.split(weights.project(carry[0], slice(0, 2)), 2, axis=-1)
    reset = nn.sigmoid(x_reset + h_reset) * carry[0]
    new = jnp.tanh(x_new + weights.project(reset, slice(2, 3)))
    return _updated(carry, x_update + h_update, new)


def _updated(carry: Carry, update: jax.Array, new: jax.Array) -> Carry:
    update = nn.sigmoid(update)
    return (update * carry[0] + (1 - update) * new,)


@dataclass(frozen=True)
class Cell:
    """A kind of recurrent cell: its numbers of gates and states, and its step function."""

    gates: int
    states: int
    step: Step
    peepholes: bool = False


CELLS = {
    "rnn": Cell(1, 1, _rnn),
    "lstm": Cell(4, 2, _lstm),
    "peephole_lstm": Cell(4, 2, _lstm, peepholes=True),
    "gru": Cell(3, 1, _gru),
    "gru_reset_before": Cell(3, 1, _gru_reset_before),
}
_MOST_LAYERS = 64
SETTINGS: Mapping[str, Kind] = {
    "cell": one_of(*CELLS),
    "layers": Kind(
        f"a whole number of at least 1 and at most {_MOST_LAYERS}", whole(1, _MOST_LAYERS).accepts
    ),
}


class Recurrence(nn.Module):
    """Stacked layers of recurrent cells.

    Attributes:
      cell: one of `CELLS`.
      layers: number of layers.
    """

    cell: str = "lstm"
    layers: int = 2

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, C]` to the states of the last layer after each frame, float32 `[B, T, C]`.

        The states are zero before the first frame.

        Raises:
          ValueError: the cell is unknown, or the number of layers is not allowed.
        """
        check(vars(self), SETTINGS)
        x = x.astype(jnp.float32)
        for number in range(1, self.layers + 1):
            x = RecurrentLayer(CELLS[self.cell], name=f"layer{number}")(x)
        return x


class RecurrentLayer(nn.Module):
    """One recurrent layer: `input/{kernel,bias}`, `recurrent_{kernel,bias}`, `peephole`."""

    cell: Cell

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, T, C]` to `[B, T, C]`."""
        batch, _, width = x.shape
        features = self.cell.gates * width
        init = _uniform(width**-0.5)
        projected = nn.Dense(features, name="input", kernel_init=init, bias_init=init)(x)
        weights = Weights(
            self.param("recurrent_kernel", init, (width, features)),
            self.param("recurrent_bias", init, (features,)),
            self.param("peephole", init, (3, width)) if self.cell.peepholes else None,
        )

        def step(carry: Carry, frame: jax.Array) -> tuple[Carry, jax.Array]:
            carry = self.cell.step(carry, frame, weights)
            return carry, carry[0]

        start = (jnp.zeros((batch, width)),) * self.cell.states
        _, states = lax.scan(step, start, projected.swapaxes(0, 1))
        return states.swapaxes(0, 1)


def _uniform(bound: float) -> nn.initializers.Initializer:
    def init(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init

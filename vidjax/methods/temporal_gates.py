"""Squeeze and Recursion Temporal Gates (SRTG).

Stergiou, thesis, chapter 4; section 4.3.2, eq. 4.6 and 4.7: a clip is fused with the states of
its squeeze and recursion only where they and the frames' means match each other frame by frame, in
both directions, by soft nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.methods import squeeze_recursion
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.settings import Kind, check, number, one_of, whole

SETTINGS: Mapping[str, Kind] = {
    "gate": one_of("none", "hard"),
    "gate_warmup_steps": whole(0, 2**31 - 1),
    **squeeze_recursion.SETTINGS,
    "match": one_of("soft", "nearest"),
    "combine": one_of("and", "or"),
    "distance": one_of("sum", "mean"),
    "temperature": number(above=0, most=1e6),
}
_TESTED = {"gate": Kind("hard", one_of("hard").accepts)}
# What has an effect only where others are so.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    "gate_warmup_steps": _TESTED,
    "match": _TESTED,
    "combine": _TESTED,
    "distance": _TESTED,
    "temperature": _TESTED | {"match": Kind("soft", one_of("soft").accepts)},
}
OPEN, MATCHED = "gate_open", "gate_matched"
READINGS = {OPEN: "open", MATCHED: "matched"}


class TemporalGate(nn.Module):
    """Squeeze, recursion, and a gate that fuses a clip's features with their states or does not.

    Which clips' gates are open is sown into `intermediates` as `gate_open` bool `[B]`; with a
    warm-up also which of them match, and would be open without it, as `gate_matched`.

    Attributes:
      gate: `none` always fuses, as the released code trains; `hard` is the thesis' gate. A
        closed gate leaves a clip exactly as it is, and the cells without a gradient.
      gate_warmup_steps: training steps in which a `hard` gate is open whatever matches.
      cell: one of `vidjax.layers.recurrence.CELLS`.
      layers: of cells.
      fuse: `multiply` features by states, or `add` them.
      match: a frame's neighbour on the other side is a `soft` mean (eq. 4.6) or the `nearest`.
      combine: both directions must match (`and`) or one of them (`or`).
      distance: of two frames, the `sum` of squares over channels or their `mean`.
      temperature: that distances are divided by in the soft mean.
    """

    gate: str = "none"
    gate_warmup_steps: int = 0
    cell: str = "lstm"
    layers: int = 2
    fuse: str = "multiply"
    match: str = "soft"
    combine: str = "and"
    distance: str = "sum"
    temperature: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape.

        Raises:
          ValueError: a setting is not allowed.
        """
        check(vars(self), SETTINGS, "srtg ")
        squeeze = SqueezeRecursion(self.cell, self.layers, self.fuse, name="squeeze_recursion")
        fused, pooled, states = squeeze.parts(x)
        if self.gate == "none":
            return fused
        settings = {name: getattr(self, name) for name in ("match", "distance", "temperature")}
        there = consistent(pooled, states, **settings)
        back = consistent(states, pooled, **settings)
        matched = there & back if self.combine == "and" else there | back
        opened = self._warm(matched, train=train)
        self.sow("intermediates", OPEN, opened)
        return jnp.where(opened[:, None, None, None, None], fused, x)

    def _warm(self, matched: jax.Array, *, train: bool) -> jax.Array:
        """What is open: all for so many steps. They are counted beside the norms' statistics."""
        if not self.gate_warmup_steps:
            return matched
        self.sow("intermediates", MATCHED, matched)
        steps = self.variable("batch_stats", "steps", lambda: jnp.zeros((), jnp.float32))
        if train and not self.is_initializing():
            steps.value = steps.value + 1
        return matched | (steps.value <= self.gate_warmup_steps)


def consistent(
    a: jax.Array,
    b: jax.Array,
    *,
    match: str = "soft",
    distance: str = "sum",
    temperature: float = 1.0,
) -> jax.Array:
    """Whether each frame of a finds itself in b (thesis, eq. 4.6 and 4.7): bool `[B]`.

    A frame's soft nearest neighbour is the mean of b's frames, weighted by the softmax of their
    negative squared distances; the frame of b that is nearest to it must be that of the same
    number. No gradient goes through this.

    Args:
      a: `[B, T, C]`.
      b: `[B, T, C]`.
      match: as in `TemporalGate`.
      distance: likewise.
      temperature: likewise.
    """
    a, b = (jax.lax.stop_gradient(side.astype(jnp.float32)) for side in (a, b))
    found = distances(a, b, distance)
    if match == "soft":
        weights = nn.softmax(-found / temperature, axis=-1)
        found = distances(jnp.einsum("bti,bic->btc", weights, b, precision="highest"), b, distance)
    return jnp.all(jnp.argmin(found, axis=-1) == jnp.arange(a.shape[1]), axis=-1)


def distances(a: jax.Array, b: jax.Array, kind: str = "sum") -> jax.Array:
    """Squared distances of all frames, `[B, Ta, C]` and `[B, Tb, C]` to `[B, Ta, Tb]`."""
    squares = (a[:, :, None] - b[:, None]) ** 2
    return jnp.sum(squares, axis=-1) if kind == "sum" else jnp.mean(squares, axis=-1)


def openness(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Which clips' gates are open: `open/<where>` bool `[B]`, such as `open/layer1_block1`.

    With a warm-up also `matched/<where>`: which would be open without it.
    """
    del logits
    return dict(_sown(intermediates, ()))


def _sown(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, jax.Array]]:
    for name, value in tree.items():
        if name in READINGS:
            yield f"{READINGS[name]}/{'_'.join(path)}", value[0]
        elif isinstance(value, Mapping):
            yield from _sown(value, path if name == "gate" else (*path, name))

"""Temporal frame selection: keeps the frames that are least similar to their neighbours.

Thesis, section 5.3.1, eq. 5.6 and 5.7: frames are compared by the cosine of their channels' spatial
means. The sum of a frame's cosines with both neighbours (a triplet) is its redundancy. Half of the
frames are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax

from vidjax.layers.recorded_selections import record_selection
from vidjax.settings import Kind, boolean, check, one_of

SETTINGS: Mapping[str, Kind] = {
    "choose": one_of("lowest", "highest", "strided"),
    "squared": boolean(),
    "edge": one_of("never", "single"),
}
# Settings that need others to have an effect.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    name: {"choose": one_of("lowest", "highest")} for name in ("squared", "edge")
}


def temporal_frame_selection(
    x: jax.Array,
    count: int | None = None,
    *,
    choose: str = "lowest",
    squared: bool = False,
    edge: str = "never",
) -> tuple[jax.Array, jax.Array]:
    """Selects frames of each clip, in temporal order.

    Args:
      x: `[B, T, H, W, C]`.
      count: number of frames to select; None is half of T, rounded down.
      choose: frames with the `lowest` redundancy (thesis) or the `highest` (released code); of
        equal ones the earlier is taken. Or `strided` ones, at equal distances whatever their
        content: the baseline of a selection.
      squared: square cosines before adding them (released code).
      edge: the first and the last frame have one neighbour: they are `never` chosen, or their
        `single` cosine counts twice.

    Returns:
      Frames `[B, count, H, W, C]` and their indices int32 `[B, count]`. Clips of one or two frames
      are returned whole if `count` is None. The gradient goes only to the chosen frames.

    Raises:
      ValueError: more frames are requested than can be chosen, or a setting is unknown.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.layers.temporal_frame_selection import temporal_frame_selection
      >>> channels = jnp.array([[1.0, 0], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]])
      >>> frames, numbers = temporal_frame_selection(channels.reshape(1, 6, 1, 1, 2), count=1)
      >>> numbers.tolist()  # frame 3 differs from both of its neighbours
      [[3]]
    """
    given = {"choose": choose, "squared": squared, "edge": edge}
    check(given, SETTINGS, "frame selection ")
    length = x.shape[1]
    if count is None and length <= 2:
        record_selection(length, length, length)
        return x, jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), (x.shape[0], length))
    count = length // 2 if count is None else count
    if choose == "strided":
        record_selection(length, count, count)
        return _strided(x, count)
    eligible = length if edge == "single" and length > 1 else max(length - 2, 0)
    if not 1 <= count <= eligible:
        raise ValueError(
            f"{count} frames of {length} cannot be selected: at most {eligible}, those that have "
            "neighbours to compare them with"
        )
    record_selection(length, eligible, count)
    scores = redundancy(x, squared=squared, edge=edge)
    order = jnp.argsort(scores if choose == "lowest" else -scores, axis=1, stable=True)
    first = 0 if edge == "single" else 1
    numbers = jnp.sort(order[:, :count], axis=1).astype(jnp.int32) + first
    return _take(x, numbers), numbers


def redundancy(x: jax.Array, *, squared: bool = False, edge: str = "never") -> jax.Array:
    """Computes how similar frames are to their neighbours: `[B, T - 2]`, or `[B, T]` with edges.

    The result is float32. It has no gradient, because it only serves the choice.

    Args:
      x: `[B, T, H, W, C]`.
      squared: as in `temporal_frame_selection`.
      edge: as in `temporal_frame_selection`.
    """
    frames = lax.stop_gradient(jnp.mean(x, axis=(2, 3), dtype=jnp.float32))
    norms = jnp.linalg.norm(frames, axis=-1)
    products = jnp.sum(frames[:, :-1] * frames[:, 1:], axis=-1)
    cosines = products / jnp.maximum(norms[:, :-1] * norms[:, 1:], 1e-8)
    cosines = cosines**2 if squared else cosines
    if edge == "single":
        cosines = jnp.concatenate([cosines[:, :1], cosines, cosines[:, -1:]], axis=1)
    return cosines[:, :-1] + cosines[:, 1:]


def _strided(x: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    batch, length = x.shape[:2]
    if not 1 <= count <= length:
        raise ValueError(f"{count} frames of {length} cannot be selected")
    stride = length // count
    places = slice(stride // 2, stride // 2 + stride * (count - 1) + 1, stride)
    numbers = jnp.arange(length, dtype=jnp.int32)[places]
    return x[:, places], jnp.broadcast_to(numbers, (batch, count))


@jax.custom_vjp
def _take(x: jax.Array, numbers: jax.Array) -> jax.Array:
    """Copies whole frames by their indices, ascending and distinct in each clip."""
    return jax.vmap(lambda clip, own: clip[own])(x, numbers)


def _take_forward(
    x: jax.Array, numbers: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # Only x's length is needed, so an array without elements is kept.
    return _take(x, numbers), (numbers, jnp.zeros((x.shape[1], 0)))


def _take_backward(
    saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, None]:
    """Gathers each frame's gradient; the transpose of a gather would add into zeros instead."""
    numbers, frames = saved
    chosen = jnp.any(numbers[:, None] == jnp.arange(len(frames))[None, :, None], axis=-1)
    place = jnp.maximum(jnp.cumsum(chosen, axis=1) - 1, 0)
    found = jax.vmap(lambda clip, own: clip[own])(gradient, place)
    return jnp.where(chosen[:, :, None, None, None], found, 0), None


_take.defvjp(_take_forward, _take_backward)

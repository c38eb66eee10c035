"""Compares the classes that methods predict inside a network with the labels."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def right_guesses(found: Mapping[str, jax.Array], label: jax.Array) -> dict[str, jax.Array]:
    """Returns whether predictions are correct, bool `[B]`, as `right/<name>`.

    Args:
      found: predicted classes by name, int `[B]` (`vidjax.models.registry.guesses`).
      label: int `[B]`, or float `[B, C]` if a clip may have several classes.
    """

    def is_right(guess: jax.Array) -> jax.Array:
        if label.ndim == 1:
            return guess == label
        return jnp.take_along_axis(label, guess[:, None], axis=-1)[:, 0] > 0

    return {f"right/{name}": is_right(guess) for name, guess in found.items()}

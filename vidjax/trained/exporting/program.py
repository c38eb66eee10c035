"""The program to export: from clips of bytes to logits, for any number of clips."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import export, lax

from vidjax.data.transforms import normalize
from vidjax.layers.lowering import force_lowering
from vidjax.trained.exporting.export_request import ExportRequest

PLATFORMS = ("cpu", "cuda", "tpu")
INPUT, OUTPUT = "clips", "logits"
Program = Callable[[Any, jax.Array], jax.Array]


def program_of(exported: ExportRequest) -> Program:
    """Returns the function from variables and clips uint8 `[B, T, H, W, 3]` to logits `[B, K]`.

    Logits are float32. Each platform gets the algorithms that are fast on it, chosen when the
    program is lowered for that platform, wherever it is traced. All platforms share one set of
    variables. Accelerators run the backend's own operators over the whole batch. Our CPU algorithms
    divide their work by the number of clips, which is unknown here, so the CPU takes one clip after
    another, which keeps it equally busy.
    """
    model, seen = exported.trained.model, exported.preprocessing

    def apply(variables: Any, clips: jax.Array, lowering: str) -> jax.Array:
        with force_lowering(lowering):
            normal = normalize(clips, seen.mean, seen.std)
            return model.apply(variables, normal, train=False).astype(jnp.float32)

    def one_by_one(variables: Any, clips: jax.Array) -> jax.Array:
        return lax.map(lambda clip: apply(variables, clip[None], "cpu")[0], clips)

    def logits(variables: Any, clips: jax.Array) -> jax.Array:
        whole = functools.partial(apply, lowering="lax")
        return lax.platform_dependent(variables, clips, cpu=one_by_one, default=whole)

    return logits


def clips_of(exported: ExportRequest) -> jax.ShapeDtypeStruct:
    """Returns the shape of clips, uint8 `[B, T, H, W, 3]` with any B of at least 1."""
    (batch,) = export.symbolic_shape("batch")
    return jax.ShapeDtypeStruct((batch, *exported.clip, 3), jnp.uint8)

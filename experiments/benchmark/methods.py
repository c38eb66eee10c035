"""What the papers' methods add to the training step of a network, in the same run without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from vidjax.terminal import say

from .given import clip_sizes, form, named
from .machine import describe, versions
from .rounds import print_table, time_in_turns
from .train_step import make_step

_MODEL = flags.DEFINE_string("model", "slowonly_50", "network, as in vidjax.list_models()")
_METHODS = flags.DEFINE_list("methods", ["RMS", "RMS-GF"], "which, of those listed below")
_BATCH = flags.DEFINE_integer("batch", 4, "clips a step", lower_bound=1)
_CLIP = flags.DEFINE_list("clip", ["8", "112", "112"], "frames, height, width")
_WIDTH = flags.DEFINE_integer("width", None, "channels of the stem; as published if not given")
_DEPTHS = flags.DEFINE_list("depths", None, "blocks of each stage; as published if not given")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "compute type")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "rounds to take the median of", lower_bound=1)
METHODS: Mapping[str, Mapping[str, Any]] = {
    "RMS": {"random_scaling": {}},
    "RMS-GF": {"random_scaling": {"low_pass": "gaussian"}},
    "RandomDrop": {"residual_drop": "random_drop"},
    "ShakeDrop": {"residual_drop": "shake_drop"},
    "Class Regularization": {"class_reg": {}},
    "SRTG": {"srtg": "final"},
    "SRTG hard": {"srtg": "final", "gate": "hard"},
    "MTConv": {"multi_temporal": {}},
    # Of MTNets alone: what their selection of frames costs beyond fixed ones.
    "strided": {"choose": "strided"},
}


def main(arguments: Sequence[str]) -> None:
    """Times the network with each method and without, in turns, and prints the table.

    Raises:
      ValueError: a method is unknown.
    """
    del arguments
    shape = (_BATCH.value, *clip_sizes(_CLIP.value), 3)
    for name in _METHODS.value:
        if name not in METHODS:
            raise ValueError(f"--methods={name}: of {', '.join(METHODS)}")
    chosen: dict[str, Mapping[str, Any]] = {"without": {}}
    chosen |= {name: METHODS[name] for name in _METHODS.value}
    given, dtype = form(_WIDTH.value, _DEPTHS.value), jnp.dtype(_DTYPE.value)
    peers = {
        name: make_step(vidjax.create_model(_MODEL.value, dtype=dtype, **given, **options), shape)
        for name, options in chosen.items()
    }
    times = time_in_turns(peers, _ROUNDS.value)
    rows = [
        (
            name,
            f"{ms:.0f}",
            f"{ms / times['without'] - 1:+.1%}",
            f"{peers[name].scratch / 2**20:.0f}",
        )
        for name, ms in times.items()
    ]
    network = named(_MODEL.value, given)
    say(describe(), versions())
    title = f"{network}, batch {shape[0]} of {shape[1:4]}, {_DTYPE.value}, {jax.default_backend()}"
    print_table(title, ("train step", "ms", "more than without", "scratch MiB"), rows)

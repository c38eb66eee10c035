"""Measures what the papers' methods add to the passes of a network, in the same run.

`forward` is the pass of an evaluation; its added milliseconds are the "added latency" in table 2 of
the ICIP paper. `train` is a whole training step.

Example:
  vidjax benchmark methods --model=slowonly_50 --batch=4 --clip=8,112,112
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from vidjax.terminal import say

from .arguments import clip_sizes, named, network_options
from .compiled import Compiled
from .forward_pass import make_forward
from .machine import describe, versions
from .timing import print_table, time_in_turns
from .train_step import make_step

_MODEL = flags.DEFINE_string("model", "slowonly_50", "NETWORK: Name of the network.")
_METHODS = flags.DEFINE_list(
    "methods", ["RMS", "RMS-GF"], "METHOD,...: Methods to measure; a wrong name lists all of them."
)
_BATCH = flags.DEFINE_integer("batch", 4, "Batch size.", lower_bound=1)
_CLIP = flags.DEFINE_list("clip", ["8", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_DEPTHS = flags.DEFINE_list("depths", None, "N,...: Blocks of each stage. By default as published.")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Compute type.")
_PASSES = flags.DEFINE_list("passes", ["train"], "PASS,...: Passes: forward, train.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Rounds; the median counts.", lower_bound=1)
_MAKERS = {"forward": ("forward pass", make_forward), "train": ("train step", make_step)}
METHODS: Mapping[str, Mapping[str, Any]] = {
    "RMS": {"random_scaling": {}},
    "RMS-GF": {"random_scaling": {"low_pass": "gaussian"}},
    "RandomDrop": {"residual_drop": "random_drop"},
    "ShakeDrop": {"residual_drop": "shake_drop"},
    "Class Regularization": {"class_reg": {}},
    "Class Regularization ICIP": {"class_reg": {"variant": "icip"}},
    "Class Regularization blocks": {"class_reg": {"variant": "icip", "after": "block"}},
    "SRTG": {"srtg": "final"},
    "SRTG hard": {"srtg": "final", "gate": "hard"},
    "MTConv": {"multi_temporal": {}},
    # For MTNets only: how much less fixed frames cost than selected ones.
    "strided": {"choose": "strided"},
}


def main(arguments: Sequence[str]) -> None:
    """Times the network with and without each method, in turns, and prints one table per pass.

    Raises:
      ValueError: a method or a pass is unknown.
    """
    del arguments
    shape = (_BATCH.value, *clip_sizes(_CLIP.value), 3)
    for flag, names, known in (("methods", _METHODS, METHODS), ("passes", _PASSES, _MAKERS)):
        for name in names.value:
            if name not in known:
                raise ValueError(f"--{flag}={name}: must be one of {', '.join(known)}")
    chosen: dict[str, Mapping[str, Any]] = {"without": {}}
    chosen |= {name: METHODS[name] for name in _METHODS.value}
    given, dtype = network_options(_WIDTH.value, _DEPTHS.value), jnp.dtype(_DTYPE.value)
    models = {
        name: vidjax.create_model(_MODEL.value, dtype=dtype, **given, **options)
        for name, options in chosen.items()
    }
    network = named(_MODEL.value, given)
    say(describe(), versions())
    title = f"{network}, batch {shape[0]} of {shape[1:4]}, {_DTYPE.value}, {jax.default_backend()}"
    for each in _PASSES.value:
        what, make = _MAKERS[each]
        peers = {name: make(model, shape) for name, model in models.items()}
        print_table(
            title, (what, "ms", "more than without", "ms added", "scratch MiB"), _rows(peers)
        )


def _rows(peers: Mapping[str, Compiled]) -> list[tuple[str, ...]]:
    times = time_in_turns(peers, _ROUNDS.value)
    without = times["without"]
    return [
        (
            name,
            f"{ms:.0f}",
            f"{ms / without - 1:+.1%}",
            f"{ms - without:+.1f}",
            f"{peers[name].scratch / 2**20:.0f}",
        )
        for name, ms in times.items()
    ]

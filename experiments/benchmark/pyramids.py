"""Measures what Class Feature Pyramids add to a forward pass (networks of thesis table 7.1).

Example:
  vidjax benchmark pyramids --models=r3d_50
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from vidjax.evaluation.cost import count_cost
from vidjax.explain.class_feature_pyramids import Pyramid, class_feature_pyramid
from vidjax.explain.compile_options import full_optimization
from vidjax.fast_compilation import FAST_COMPILE
from vidjax.terminal import complain

from .arguments import clip_sizes
from .timing import print_table, time_in_turns

# Networks with the levels of table 7.1; for I3D, the class level and the last block.
LEVELS = {
    "mfnet": 3,
    "i3d": 2,
    "r3d_50": 3,
    "r3d_101": 3,
    "r3d_152": 3,
    "resnext3d_101": 3,
    "mtnet_s": 3,
    "mtnet_m": 3,
    "mtnet_l": 3,
}
_MODELS = flags.DEFINE_list("models", list(LEVELS), "NETWORK,...: Networks to measure.")
_CLIP = flags.DEFINE_list("clip", ["16", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds; the median counts.", lower_bound=1)
COLUMNS = (
    "network",
    "GFLOPs",
    "theta",
    "levels",
    "kept",
    "compile s",
    "forward ms",
    "with pyramid ms",
    "back-step share",
)


def main(arguments: Sequence[str]) -> None:
    """Times a forward pass and a whole pyramid in turns, both compiled, and prints the times.

    GFLOPs count two operations per multiply-add of the clip. The compile time is that of the first
    pyramid of a network, which includes reading the network.
    """
    del arguments
    rows = []
    for name in _MODELS.value:
        rows.append(_row(name))
        # Printed at once, because compiling the largest network takes minutes.
        complain("  ".join(rows[-1]))
    clip = "x".join(_CLIP.value)
    print_table(f"one clip of {clip}, float32, {jax.default_backend()}", COLUMNS, rows)


def _row(name: str) -> tuple[str, ...]:
    threshold, depth = vidjax.model_card(name).theta, LEVELS.get(name, 3)
    model = vidjax.create_model(name)
    sizes = clip_sizes(_CLIP.value)
    clip = jax.random.normal(jax.random.key(1), (1, *sizes, 3))
    # Runs only once, so fast compilation pays.
    options = FAST_COMPILE if jax.default_backend() == "cpu" else None
    init = jax.jit(partial(model.init, train=False), compiler_options=options)
    variables = init(jax.random.key(0), clip)
    forward = jax.jit(partial(model.apply, train=False))

    def explain() -> Pyramid:
        return class_feature_pyramid(model, variables, clip, 0, depth, threshold)

    def explain_well() -> Pyramid:
        with full_optimization():
            return explain()

    begun = time.perf_counter()
    kept = sum(len(layer.kernels) for layer in explain().layers)
    compiling = time.perf_counter() - begun
    work = {"forward": lambda: jnp.asarray(forward(variables, clip)).block_until_ready()}
    times = time_in_turns(work | {"pyramid": explain_well}, _ROUNDS.value)
    share = times["pyramid"] / times["forward"] - 1
    cost = f"{2 * count_cost(model, sizes).macs / 1e9:.2f}"
    shown = (f"{times['forward']:.0f}", f"{times['pyramid']:.0f}", f"{share:+.0%}")
    return (name, cost, str(threshold), str(depth), str(kept), f"{compiling:.0f}", *shown)

"""What class feature pyramids cost beyond the forward pass (networks of the thesis' table 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from vidjax.explain.class_feature_pyramids import Pyramid, class_feature_pyramid
from vidjax.run.state import QUICKLY
from vidjax.terminal import complain

from .given import clip_sizes
from .rounds import print_table, time_in_turns

# Networks with the threshold and depth of table 7.1; of I3D the class level and the last block.
TABLE = {
    "mfnet": (0.6, 3),
    "i3d": (0.65, 2),
    "r3d_50": (0.55, 3),
    "r3d_101": (0.6, 3),
    "r3d_152": (0.6, 3),
    "resnext3d_101": (0.6, 3),
    "mtnet_s": (0.67, 3),
    "mtnet_m": (0.67, 3),
    "mtnet_l": (0.67, 3),
}
_MODELS = flags.DEFINE_list("models", list(TABLE), "networks; those of table 7.1 if not given")
_CLIP = flags.DEFINE_list("clip", ["16", "112", "112"], "frames, height, width")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "rounds to take the median of", lower_bound=1)
COLUMNS = ("network", "theta", "levels", "kept", "forward ms", "with pyramid ms", "back-step share")


def main(arguments: Sequence[str]) -> None:
    """Times a forward pass and a whole pyramid in turns, both compiled before, and prints both."""
    del arguments
    rows = []
    for name in _MODELS.value:
        rows.append(_row(name))
        # To compile the largest takes minutes.
        complain("  ".join(rows[-1]))
    clip = "x".join(_CLIP.value)
    print_table(f"one clip of {clip}, float32, {jax.default_backend()}", COLUMNS, rows)


def _row(name: str) -> tuple[str, ...]:
    threshold, depth = TABLE.get(name, (0.6, 3))
    model = vidjax.create_model(name)
    clip = jax.random.normal(jax.random.key(1), (1, *clip_sizes(_CLIP.value), 3))
    # Variables are made once: not worth compiling well.
    options = QUICKLY if jax.default_backend() == "cpu" else None
    init = jax.jit(partial(model.init, train=False), compiler_options=options)
    variables = init(jax.random.key(0), clip)
    forward = jax.jit(partial(model.apply, train=False))

    def explain() -> Pyramid:
        return class_feature_pyramid(model, variables, clip, 0, depth, threshold)

    kept = sum(len(layer.kernels) for layer in explain().layers)
    work = {"forward": lambda: jnp.asarray(forward(variables, clip)).block_until_ready()}
    times = time_in_turns(work | {"pyramid": explain}, _ROUNDS.value)
    share = times["pyramid"] / times["forward"] - 1
    shown = (f"{times['forward']:.0f}", f"{times['pyramid']:.0f}", f"{share:+.0%}")
    return (name, str(threshold), str(depth), str(kept), *shown)

"""Compares the wall time of epochs with a multigrid and with a fixed shape, with compilation.

Example:
  vidjax benchmark multigrid --model=r3d_18 --clip=16,112,112
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from rich.console import Console

import vidjax
from vidjax.data.multigrid import GridShape, Multigrid, cycles, grid_schedule, mean_batch
from vidjax.progress import duration

from .arguments import clip_sizes
from .timing import print_table, time_in_turns
from .train_step import Compiled, make_step

_MODEL = flags.DEFINE_string("model", "r3d_18", "NETWORK: Name of the network.")
_BATCH = flags.DEFINE_integer("batch", 4, "Size of the base batch.", lower_bound=1)
_CLIP = flags.DEFINE_list(
    "clip", ["16", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of the base clips."
)
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_BOTH = flags.DEFINE_enum(
    "both", "capped", ["capped", "product"], "How long and short cycles combine."
)
_VIDEOS = flags.DEFINE_integer("videos", 20_000, "Number of training videos.")
_EPOCHS = flags.DEFINE_integer("epochs", 30, "Number of epochs.", lower_bound=1)
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Compute type.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; the median counts.", lower_bound=1)
_CYCLES = ("none", "long", "short", "both")


def main(arguments: Sequence[str]) -> None:
    """Times the step of every shape in turns, and prints the resulting times of epochs and runs."""
    del arguments
    frames, height, _ = clip_sizes(_CLIP.value)
    base = GridShape(_BATCH.value, frames, height)
    shapes = {
        shape: None
        for cycle in _CYCLES
        for part in cycles(Multigrid(cycle, both=_BOTH.value), base)
        for shape in part
    }
    width = {} if _WIDTH.value is None else {"width": _WIDTH.value}
    model = vidjax.create_model(_MODEL.value, dtype=jnp.dtype(_DTYPE.value), **width)
    peers: dict[GridShape, Compiled] = {}
    for shape in shapes:
        size = (shape.batch, shape.frames, shape.size, shape.size, 3)
        peers[shape] = make_step(model, size)
        Console(stderr=True).print(f"compiled {shape} in {peers[shape].seconds:.1f} s")
    times = time_in_turns({str(shape): peer for shape, peer in peers.items()}, _ROUNDS.value)
    _print_shapes(base, peers, times)
    _print_runs(base, peers, times)


def _print_shapes(
    base: GridShape, peers: Mapping[GridShape, Compiled], times: Mapping[str, float]
) -> None:
    rows = []
    for shape, peer in peers.items():
        a_clip = times[str(shape)] / shape.batch
        faster = times[str(base)] / base.batch / a_clip
        rows.append(
            (str(shape), f"{times[str(shape)]:.0f}", f"{faster:.2f}", f"{peer.seconds:.1f}")
        )
    title = f"{_MODEL.value}, {_DTYPE.value}, {jax.default_backend()}"
    print_table(title, ("batch", "ms per step", "clips/s, x base", "compile s"), rows)


def _print_runs(
    base: GridShape, peers: Mapping[GridShape, Compiled], times: Mapping[str, float]
) -> None:
    fixed, rows = None, []
    for cycle in _CYCLES:
        epoch, compiled, steps = _epoch(Multigrid(cycle, both=_BOTH.value), base, peers, times)
        run = _EPOCHS.value * epoch + compiled
        fixed = fixed or (epoch, run)
        ratios = (f"{fixed[0] / epoch:.2f}", f"{fixed[1] / run:.2f}")
        numbers = (f"{steps:.0f}", duration(epoch), f"{compiled:.0f}", duration(run))
        rows.append((cycle, *numbers, *ratios))
    title = f"{_VIDEOS.value} videos, {_EPOCHS.value} epochs; steps alone, without input"
    columns = ("cycle", "steps per epoch", "epoch", "compile s", "run", "epoch x", "run x")
    print_table(title, columns, rows)


def _epoch(
    grid: Multigrid,
    base: GridShape,
    peers: Mapping[GridShape, Compiled],
    times: Mapping[str, float],
) -> tuple[float, float, float]:
    """Returns the seconds of an epoch's steps, the compile time of its shapes, and its steps."""
    epoch = _VIDEOS.value / mean_batch(cycles(grid, base))
    table = grid_schedule(grid, base, steps=round(epoch), steps_per_epoch=epoch)
    steps = np.array([times[str(shape)] for shape in table.shapes])[table.index]
    return steps.sum() / 1e3, sum(peers[shape].seconds for shape in table.shapes), epoch

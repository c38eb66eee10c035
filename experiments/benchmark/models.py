"""The training step of a network, against PyTorch eager and XLA's own convolutions."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from experiments.benchmark.rounds import print_table, time_in_turns
from experiments.benchmark.train_step import make_step
from vidjax.evaluation.cost import count_cost
from vidjax.layers.lowering import force_lowering

_MODEL = flags.DEFINE_string("model", "r3d_18", "network, as in vidjax.list_models()")
_BATCH = flags.DEFINE_integer("batch", 4, "clips a step")
_CLIP = flags.DEFINE_list("clip", ["8", "64", "64"], "frames, height, width")
_WIDTH = flags.DEFINE_integer("width", None, "channels of the stem; as published if not given")
_DEPTHS = flags.DEFINE_list("depths", None, "blocks of each stage; as published if not given")
_SCAN = flags.DEFINE_bool("scan", False, "compile equal blocks once")
_CLASSES = flags.DEFINE_integer("classes", 400, "classes")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "compute type")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "rounds to take the median of")
_LAX = flags.DEFINE_bool("lax", False, "also time XLA's own convolutions (slow on a CPU)")


def main(arguments: Sequence[str]) -> None:
    """Times the peers in turns and prints the table."""
    del arguments
    shape = (_BATCH.value, *map(int, _CLIP.value), 3)
    depths = tuple(map(int, _DEPTHS.value)) if _DEPTHS.value else None
    given = {"width": _WIDTH.value, "depths": depths, "scan": _SCAN.value or None}
    options = {name: value for name, value in given.items() if value is not None}
    model = vidjax.create_model(
        _MODEL.value, num_classes=_CLASSES.value, dtype=jnp.dtype(_DTYPE.value), **options
    )
    peers: dict[str, Callable[[], object]] = {}
    peers["vidjax"] = own = make_step(model, shape)
    if _LAX.value:
        with force_lowering("lax"):
            peers["XLA's own convolutions"] = make_step(model, shape)
    peers |= _torch_peers(shape, depths)
    times = time_in_turns(peers, _ROUNDS.value)
    macs = 3 * count_cost(model, shape).macs
    best = min((ms for name, ms in times.items() if "torch" in name), default=None)
    rows = [
        (name, f"{ms:.0f}", f"{ms / best:.2f}" if best else "-", f"{2e-6 * macs / ms:.0f}")
        for name, ms in times.items()
    ]
    sizes = "".join(f", {name} {value}" for name, value in options.items())
    title = (
        f"{_MODEL.value}{sizes}, batch {shape[0]} of {shape[1:4]}, {_DTYPE.value}, "
        f"{jax.default_backend()}; compiled in {own.seconds:.1f} s"
    )
    print_table(title, ("train step", "ms", "of torch's best", "GFLOP/s"), rows)


def _torch_peers(
    shape: tuple[int, ...], depths: tuple[int, ...] | None
) -> dict[str, Callable[[], object]]:
    if not importlib.util.find_spec("torch"):
        print("PyTorch is not installed; for the comparison: pip install -e '.[torch]'")
        return {}
    from experiments.benchmark import torch_peer
    from experiments.peers.listing import network

    peers: dict[str, Callable[[], object]] = {}
    for name, last in (("contiguous", False), ("channels_last_3d", True)):
        peer = network(_MODEL.value, _CLASSES.value, _WIDTH.value, depths)
        if peer is None:
            print(f"There is no {_MODEL.value} in PyTorch here; it is timed alone.")
            return {}
        peers[f"torch eager {name}"] = torch_peer.train_step(
            peer, shape, _CLASSES.value, channels_last=last
        )
    return peers

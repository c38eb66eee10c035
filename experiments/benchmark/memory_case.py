"""Measures one row of `vidjax benchmark memory`, in its own process.

`python -m experiments.benchmark.memory_case '{"model": "r3d_18", ...}'` prints the planned and the
peak bytes.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import vidjax
from vidjax import records
from vidjax.terminal import say

from .compiled import initial_variables
from .forward_pass import make_forward
from .own_memory import resident
from .train_step import make_step

# Maps with many passes make only as many as the peak needs.
MAPS: Mapping[str, Mapping[str, Any]] = {
    "saliency_tube": {},
    "class_feature_pyramid": {},
    "grad_cam": {},
    "integrated_gradients": {"steps": 2},
    "rise": {"masks": 16},
    "occlusion": {"over": "time"},
}
_CLASSES, _RUNS, _EVERY = 400, 3, 0.001


@dataclass(frozen=True)
class MemoryCase:
    """The case to measure.

    Attributes:
      model: name of the network, as in `vidjax.list_models()`.
      what: `vidjax` or `torch` followed by `train` or `forward`, or a key of `MAPS`.
      batch: clips per batch.
      clip: frames, height and width.
      width: channels of the stem; None is the published number.
      remat: stages that the backward pass recomputes.
    """

    model: str
    what: str
    batch: int
    clip: tuple[int, int, int]
    width: int | None = None
    remat: tuple[int, ...] = ()


@dataclass(frozen=True)
class MemoryResult:
    """The result in bytes: the memory that XLA plans (0 if unknown), and the peak."""

    planned: int
    peak: int


def main(text: str) -> None:
    """Measures the case that is described in JSON, and prints the result."""
    case = records.parsed(text, MemoryCase)
    # Loads the libraries and starts the threads that all cases share.
    jax.block_until_ready(jax.jit(jnp.sum)(jnp.ones(8)))
    if case.what.startswith("torch"):
        import torch

        torch.ones(8).sum()
    before = resident()
    work, planned = _made(case)
    work()
    gc.collect()
    _return_freed_memory()
    peak = _peak_while(work) - before
    device = _device_peak()
    say(json.dumps(asdict(MemoryResult(planned, peak if device is None else device))))


def _made(case: MemoryCase) -> tuple[Callable[[], object], int]:
    shape = (case.batch, *case.clip, 3)
    if case.what.startswith("torch"):
        return _of_torch(case, shape), 0
    options: dict[str, Any] = {"width": case.width} if case.width else {}
    if case.remat:
        options["remat"] = case.remat
    model = vidjax.create_model(case.model, num_classes=_CLASSES, **options)
    if case.what in MAPS:
        return _of_map(case, model, shape), 0
    make = make_step if "train" in case.what else make_forward
    made = make(model, shape)
    return made, made.memory


def _of_map(case: MemoryCase, model: Any, shape: tuple[int, ...]) -> Callable[[], object]:
    from vidjax.explain.saliency_map import saliency_map

    clip = jax.random.normal(jax.random.key(1), shape)
    variables = initial_variables(model, clip)
    settings = MAPS[case.what]
    return partial(saliency_map, model, variables, clip[0], 0, case.what, **settings)


def _of_torch(case: MemoryCase, shape: tuple[int, ...]) -> Callable[[], object]:
    from ..torch_networks.registry import network
    from .torch_baseline import LAYOUTS, make_pass

    peer = network(case.model, _CLASSES, width=case.width, depths=None)
    train, layout = "train" in case.what, LAYOUTS["torch"]
    return make_pass(peer, shape, _CLASSES, train=train, dtype="float32", layout=layout)


def _return_freed_memory() -> None:
    """Returns memory that compilation has freed to the system, if the C library supports that."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _peak_while(work: Callable[[], object]) -> int:
    """Returns the largest size of the process in bytes while `work` runs."""
    most, done = resident(), threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(_EVERY):
            most = max(most, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(_RUNS):
            work()
    finally:
        done.set()
        watcher.join()
    return most


def _device_peak() -> int | None:
    stats = jax.devices()[0].memory_stats()
    return stats.get("peak_bytes_in_use") if stats else None


if __name__ == "__main__":
    main(sys.argv[1])

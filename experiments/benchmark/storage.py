"""What a bucket costs training: clips a second with nothing on this machine yet, and with all."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import vidjax
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit
from vidjax.storage.local import remove_folder, upload_folder
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.shard_cache import ShardCache
from vidjax.terminal import say

from .interconnect import MACHINES
from .rounds import print_table

# Of the peak, which good programs reach with 3D convolutions on TPUs; GPUs reach about half of it.
_PEAK_SHARE = 0.4
_STEP = "r3d_50"
_DISK, _COPIES = "this disk", "copies"
# Multiply-adds of a backward pass over those of a forward pass, and operations of each.
_TRAINING, _OPERATIONS = 3, 2


@dataclass(frozen=True)
class Work:
    """What is read.

    Attributes:
      shape: of clips.
      augment: what is done to them.
      batch_size: clips of a batch.
      threads: that decode.
      rounds: epochs to take the median of, where everything is here.
    """

    shape: ClipShape
    augment: Augmentation
    batch_size: int
    threads: int
    rounds: int


@dataclass(frozen=True)
class Way:
    """A way to read a data set.

    Attributes:
      source: opens it, as a run does.
      shards: that are read at a time; 0 is all.
    """

    source: Callable[[], PreparedSplit]
    shards: int = 0


class Rates(NamedTuple):
    """Clips a second: cold, and warm; and seconds until the first batch comes cold."""

    first: float
    cold: float
    warm: float


def measure(local: Path, url: str, work: Work, scratch: Path) -> None:
    """Times epochs of each way to read a data set, cold and warm, and prints the table.

    Args:
      local: folder of a prepared data set on this machine.
      url: folder of a bucket, below which a copy of it is while it is measured.
      work: what is read.
      scratch: folder of this machine for copies of shards.

    Raises:
      ValueError: it is no URL.
      OSError: the bucket cannot be written or read.
    """
    if not is_url(url):
        raise ValueError(f"--storage={url}: a URL is expected, such as gs://bucket/folder")
    far = as_path(url) / f"vidjax-benchmark-{secrets.token_hex(4)}"
    try:
        upload_folder(local, far)
        rates = _rates(_ways(local, far, scratch), work)
    finally:
        remove_folder(far)
    sizes = [file.stat().st_size for file in local.glob("*.array_record*")]
    clips = len(PreparedSplit(local, "train"))
    title = f"{len(sizes)} shards of {sum(sizes) / len(sizes) / 1e6:.3g} MB, {clips} videos"
    _print_rates(rates, title)
    _print_need(work, sum(sizes) / clips, rates)


def _ways(local: Path, far: Path, scratch: Path) -> dict[str, Way]:
    caches = [ShardCache(scratch / name) for name in ("all", "two")]
    return {
        _DISK: Way(lambda: PreparedSplit(local, "train")),
        "ArrayRecord itself, no copies": Way(lambda: PreparedSplit(far, "train", in_place=True)),
        f"{_COPIES}, all videos shuffled": Way(lambda: PreparedSplit(far, "train", caches[0])),
        f"{_COPIES}, two shards at a time": Way(lambda: PreparedSplit(far, "train", caches[1]), 2),
    }


def _rates(ways: dict[str, Way], work: Work) -> dict[str, Rates]:
    """An epoch of each where nothing is here, then epochs in turns where all is that will be."""
    cold = {name: _epoch(way, work) for name, way in ways.items()}
    warm: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(work.rounds):
        for name, way in ways.items():
            warm[name].append(_epoch(way, work)[1])
    return {name: Rates(*cold[name], statistics.median(warm[name])) for name in ways}


def _epoch(way: Way, work: Work) -> tuple[float, float]:
    """Seconds until an epoch's first batch, opening included, and its clips a second."""
    start, first = time.perf_counter(), 0.0
    source, size = way.source(), work.batch_size
    batches = train_batches(
        source, work.shape, work.augment, batch_size=size, seed=0, shards=way.shards
    )
    count = len(source) // size
    for batch in prefetch(batches[:count], work.threads):
        if not batch["mask"].all():
            raise ValueError(f"{source!r}: a video could not be read; the lines above say why")
        first = first or time.perf_counter() - start
    return first, count * size / (time.perf_counter() - start)


def _print_rates(rates: dict[str, Rates], title: str) -> None:
    disk = rates[_DISK].warm
    rows = [
        (
            way,
            f"{each.first:.2f}",
            f"{each.cold:.0f}",
            f"{each.warm:.0f}",
            f"{each.warm / disk:.2f}",
        )
        for way, each in rates.items()
    ]
    columns = ("read from", "s to a batch", "cold clips/s", "warm clips/s", "warm / this disk")
    print_table(title, columns, rows)


def _print_need(work: Work, bytes_each: float, rates: dict[str, Rates]) -> None:
    shape = (1, work.shape.frames, work.shape.size, work.shape.size, 3)
    cost = vidjax.count_cost(vidjax.create_model(_STEP, num_classes=400), shape)
    step = _TRAINING * _OPERATIONS * cost.macs
    for name, machine in MACHINES.items():
        needed = _PEAK_SHARE * machine.tflops * 1e12 / step
        say(
            f"a step of {_STEP} on one {name} at {_PEAK_SHARE:.0%} of its peak needs {needed:.0f} "
            f"clips/s: {needed * bytes_each / 1e9:.2g} GB/s of these videos, and "
            f"{needed / (rates[_DISK].warm / work.threads):.0f} threads as fast as these"
        )
    cold = max(rates[way].cold for way in rates if way.startswith(_COPIES))
    say(
        f"what arrives cold, {cold:.0f} clips/s ({cold * bytes_each / 1e6:.0f} MB/s), feeds steps "
        f"of {cold * step / 1e12:.2g} TFLOP/s"
    )
